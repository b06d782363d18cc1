//! API keys, and the gate of each row. The only place outside jobs that makes a principal.

use super::{
    Guard,
    error::Failure,
    operation::{Access, Row},
};
use crate::app::principal::{Permission, Principal, Role};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

/// The authenticated caller; only operations whose row asks for one have it.
#[derive(Debug, Clone)]
pub struct Caller(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Principal>().cloned().map(Self).ok_or_else(|| {
            tracing::error!("a handler asks for a caller, but its row lets anybody in");
            Failure::internal()
        })
    }
}

/// A caller where one is known.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Principal>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get::<Principal>().cloned()))
    }
}

/// Lets a request past the gate of its row, or says why not.
pub(super) async fn admit(guard: &Guard, row: &Row, headers: &HeaderMap) -> Result<Option<Principal>, Failure> {
    match row.access {
        Access::Anybody => Ok(None),
        Access::Only(roles, permission) => {
            let principal = authenticate(guard, headers).await?;
            require(&principal, roles, permission)?;
            Ok(Some(principal))
        }
        Access::Metrics if guard.app.config.server.metrics_public => Ok(None),
        Access::Metrics => {
            let principal = authenticate(guard, headers).await?;
            require(&principal, &[Role::Authority, Role::Issuer, Role::Verifier], Permission::Operate)?;
            Ok(Some(principal))
        }
        Access::Rpc if headers.contains_key(header::AUTHORIZATION) => authenticate(guard, headers).await.map(Some),
        Access::Rpc if guard.app.config.ledger.rpc_public_reads => Ok(None),
        Access::Rpc => Err(Failure::no_key()),
    }
}

fn require(principal: &Principal, roles: &[Role], permission: Permission) -> Result<(), Failure> {
    if !roles.contains(&principal.role) {
        return Err(Failure::role());
    }
    if !principal.permissions.contains(&permission) {
        return Err(Failure::permission());
    }
    Ok(())
}

async fn authenticate(_guard: &Guard, _headers: &HeaderMap) -> Result<Principal, Failure> {
    Err(Failure::no_key())
}
