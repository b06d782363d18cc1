//! Every operation of the HTTP API, who may do it, and whose objects it touches: the authorization matrix.
//!
//! A handler is reachable only through [`super::route::Routes::on`], which takes an [`Operation`] and puts the gate of its row in front; so a
//! route without a row does not compile, and a row without a route fails the start and the tests.

use crate::app::principal::{Permission, Role};
use axum::http::Method;

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without an API key. A key that is sent is not even looked at.
    Anybody,
    /// Participants of these roles, with a key that has this permission.
    Only(&'static [Role], Permission),
    /// Anybody where the configuration says so (`server.metrics_public`), else any role with a key that has `operate`.
    Metrics,
    /// JSON-RPC: anybody reads where the configuration says so; sending transactions takes a key that has `operate`.
    Rpc,
}

/// Whose objects an operation's path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// None: it makes objects, lists the caller's own, or reads what is public.
    None,
    /// One that belongs to a participant: only the owner finds it, to others it answers as if it were not there.
    Own,
    /// One that belongs to the deployment, which all who may call this may touch.
    Shared,
}

/// How large a request body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLimit {
    /// No body is read.
    Empty,
    /// `server.limits.body_bytes`.
    Small,
    /// `server.limits.large_body_bytes`.
    Large,
}

/// One row of the authorization matrix.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which operation.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path, parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whose objects it touches.
    pub object: Object,
    /// How large its body may be.
    pub body: BodyLimit,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $method:ident $path:literal, $access:expr, $object:ident, $body:ident;)*) => {
        /// An operation of the HTTP API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation { $($(#[$doc])* $name),* }

        impl Operation {
            /// Every operation, in the order of the matrix.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// Its name, as logs and metrics have it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
            /// Its row.
            pub fn row(self) -> Row {
                use Access::{Anybody, Metrics, Only, Rpc};
                match self {
                    $(Self::$name => Row {
                        operation: self,
                        method: Method::$method,
                        path: $path,
                        access: $access,
                        object: Object::$object,
                        body: BodyLimit::$body,
                    }),*
                }
            }
        }
    };
}

use Permission::{Admin, Check, Issue, Read};

const AUTHORITY: &[Role] = &[Role::Authority];
const ISSUER: &[Role] = &[Role::Issuer];
const VERIFIER: &[Role] = &[Role::Verifier];
const ANY_ROLE: &[Role] = &[Role::Authority, Role::Issuer, Role::Verifier];

operations! {
    /// The process is alive.
    Live = GET "/livez", Anybody, None, Empty;
    /// The instance can do its work.
    Ready = GET "/readyz", Anybody, None, Empty;
    /// Prometheus metrics.
    ReadMetrics = GET "/metrics", Metrics, None, Empty;
    /// This API's description.
    ReadOpenApi = GET "/openapi.json", Anybody, None, Empty;

    /// Makes the authority, once.
    SetUp = POST "/v1/setup", Anybody, None, Small;
}
