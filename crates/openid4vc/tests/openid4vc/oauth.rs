//! OAuth 2.0 as OpenID4VCI uses it.

mod dpop;
mod forms;
pub mod world;
