//! The service as a whole: through the real router, on real databases and a real embedded ledger.

mod documents;
mod harness;
mod hostile;
mod matrix;
mod start;
