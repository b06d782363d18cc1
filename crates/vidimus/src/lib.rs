//! The service: HTTP, the application behind it, background jobs and the command line.

pub mod clock;
pub mod config;
