//! The service as a whole: through the real router, on real databases and a real embedded ledger.

mod api;
mod canary;
mod cli;
mod documents;
mod fixture;
mod harness;
mod hostile;
mod kill;
mod matrix;
mod start;
