//! API keys, and the gate of each row. The only place outside jobs that makes a principal.

use super::{
    Guard,
    error::Failure,
    operation::{Access, Row},
};
use crate::app::{
    api_keys,
    principal::{Permission, Principal, Role},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use vidimus_core::ApiKey;
use vidimus_credential::check::registry::Standing;

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
            require(
                &principal,
                &[Role::Authority, Role::Issuer, Role::Verifier],
                Permission::Operate,
            )?;
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

/// The principal whose key the request carries.
async fn authenticate(guard: &Guard, headers: &HeaderMap) -> Result<Principal, Failure> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(Failure::no_key)?;
    let text = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .ok_or_else(Failure::bad_key)?;
    let (scheme, key) = text.split_once(' ').ok_or_else(Failure::bad_key)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Failure::bad_key());
    }
    let presented: ApiKey = key.trim().parse().map_err(|_| Failure::bad_key())?;
    let found = api_keys::authenticate(&guard.app, &presented).await?;
    let (principal, standing) = found.ok_or_else(Failure::bad_key)?;
    if let Some(Err(seconds)) = principal
        .api_key
        .map(|key| guard.key_rate.take(key, guard.app.clock.now()))
    {
        guard.metrics.limited();
        return Err(Failure::rate().retry_after(seconds));
    }
    match standing {
        // What needs the chain's word asks for it again; until then a participant can bring transactions and make keys.
        Some(Standing::Active) | None => Ok(principal),
        // May look at what is its own, and nothing else.
        Some(Standing::Suspended) => {
            let permissions = principal
                .permissions
                .iter()
                .copied()
                .filter(|p| *p == Permission::Read)
                .collect();
            Ok(Principal {
                permissions,
                ..principal
            })
        }
        Some(Standing::Revoked) => Err(Failure::participant()),
    }
}
