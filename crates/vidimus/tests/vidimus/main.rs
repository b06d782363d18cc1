//! The service as a whole: through the real router, on real databases and a real embedded ledger.

#![allow(clippy::unwrap_used, reason = "a test that does not get what it needs has failed")]
#![allow(clippy::disallowed_methods, reason = "tests look at the real clock")]

mod added;
mod admission;
mod api;
mod batches;
mod canary;
mod claimer;
mod cli;
mod command_lines;
mod delegates;
mod documents;
mod drawable;
mod events;
mod fixture;
mod foreign;
mod foreign_status;
mod harness;
mod holder;
mod hostile;
mod instances;
mod issue;
mod kill;
mod mail;
mod matrix;
mod mending;
mod network;
mod node;
mod nonces;
mod outside;
mod participants;
mod presenting;
mod program;
mod push;
mod readiness;
mod receiver;
mod recovery;
mod rotation;
mod server;
mod start;
mod trust_list;
mod wallets;
mod webhooks;
