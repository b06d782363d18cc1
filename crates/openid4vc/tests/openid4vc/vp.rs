//! OpenID4VP: the airline asks, the traveller's wallet verifies who asks and presents, with real keys and certificates.

mod client;
mod flow;
mod reads;
mod refuses;
mod response;
mod transaction;
mod world;
