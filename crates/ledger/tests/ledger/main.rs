//! The ledger's tests, in one binary: it links the virtual machine once.

mod anvil;
mod embedded;
mod network;
mod support;
