//! The store, on both databases: every test that is told once runs twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aggregates;
mod audit;
mod blobs;
mod corpora;
mod delivery;
mod faults;
mod groups;
mod issue;
mod migrations;
mod races;
mod server;
mod setting;
mod wallets;
