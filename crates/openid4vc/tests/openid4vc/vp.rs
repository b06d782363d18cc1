//! OpenID4VP: the airline asks, the traveller's wallet verifies who asks and presents, with real keys and certificates.

mod client;
mod flow;
mod policy;
mod reads;
mod refuses;
mod response;
mod signed;
mod transaction;
mod world;
