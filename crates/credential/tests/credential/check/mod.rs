//! The check, told with laboratories, travellers and airlines; its vectors, and the flipping of every byte.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod cases;
mod flip;
mod holder;
mod levels;
mod offline;
mod registry;
mod vectors;
pub mod world;
