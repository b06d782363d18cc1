//! Every SQL statement of Vidimus, the outbox, the audit log and the blob store.
//!
//! Two databases stand behind one [`Store`]: SQLite in a file (the default) and PostgreSQL for several instances. Each statement is one text
//! that both run; only the type words of the schema differ. Nothing leans on SQLite's single writer: what must be unique is a constraint,
//! what must not be lost is a compare-and-set, and the same tests race both databases.
//!
//! Acknowledged means durable: [`Store::write`] returns after the commit has reached the disk. A commit that failed has an unknown outcome;
//! the store then refuses every later write ([`Error::Fatal`]) and the process is expected to stop.
//!
//! Whoever controls the database reads who was admitted, which organisation issued how much and when, and how records hang together; of
//! persons they read nothing: names, results and salts are encrypted under keys that are wrapped by the root key, which lies elsewhere.
//! They can delete and replay; the hash-chained [`audit`] log and the anchors on the chain show it.

mod address;
pub mod api_keys;
pub mod audit;
pub mod authorizations;
pub mod batches;
pub mod blobs;
pub mod certificates;
pub mod chain;
pub mod checks;
pub mod claims;
pub mod contacts;
pub mod copies;
pub mod delegates;
pub mod deliveries;
pub mod deployment;
mod error;
pub mod events;
pub mod figures;
pub mod grants;
pub mod idempotency;
pub mod keys;
pub mod left_presentations;
pub mod limits;
mod migrate;
pub mod offers;
pub mod outbox;
mod page;
pub mod participants;
pub mod persons;
mod postgres;
pub mod presentations;
pub mod push;
pub mod requests;
pub mod results;
mod scope;
pub mod seen;
pub mod setup_links;
mod sqlite;
pub mod status;
mod store;
#[cfg(feature = "test-support")]
pub mod testing;
pub mod transactions;
mod tx;
pub mod value;
pub mod waiting;
pub mod webhooks;
mod wrapped;

pub use error::{Code, Error};
pub use migrate::MIGRATIONS;
pub use scope::Scope;
pub use store::{Config, Missing, Store};
pub use tx::Tx;
pub use wrapped::{Wrapped, binding};
