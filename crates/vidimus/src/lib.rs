//! The service: HTTP, the application behind it, background jobs and the command line.

pub mod app;
mod causes;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(test)]
mod corpora;
pub mod fault;
pub mod http;
pub mod jobs;
pub mod outside;
