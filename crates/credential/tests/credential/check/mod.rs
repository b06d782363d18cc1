//! The check, told with laboratories, travellers and airlines; its vectors, and the flipping of every byte.

mod cases;
mod flip;
mod holder;
mod offline;
mod registry;
mod vectors;
mod world;
