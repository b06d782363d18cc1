//! The ledger's tests, in one binary: it links the virtual machine once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod anvil;
mod clients;
mod corpora;
mod crash;
mod disk;
mod embedded;
mod faults;
mod lies;
mod network;
mod process;
mod rpc;
mod script;
mod state;
mod support;
mod waiting;
