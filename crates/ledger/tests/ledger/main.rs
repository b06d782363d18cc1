//! The ledger's tests, in one binary: it links the virtual machine once.

mod anvil;
mod clients;
mod crash;
mod disk;
mod embedded;
mod faults;
mod network;
mod rpc;
mod support;
mod waiting;
