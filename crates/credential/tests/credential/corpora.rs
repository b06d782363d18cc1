//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../../fuzz/src/credential.rs"]
mod fuzz;
#[path = "../../../../fuzz/src/run.rs"]
mod run;
