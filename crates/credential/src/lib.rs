//! Certificates: what they say, the formats they are rendered in, the categories that describe them, their status, and the check.
//!
//! Pure: callers pass `now`, entropy and a [`vidimus_core::Provider`].

#![warn(missing_docs)]

pub mod card;
pub mod category;
pub mod check;
pub mod countersign;
pub mod format;
pub mod intake;
pub mod json;
pub mod jws;
pub mod presentation;
pub mod sd_jwt;
pub mod statement;
pub mod status;
pub mod x509;

pub use statement::{CategoryId, DisclosedPerson, Format, Person, Statement, StatusReference};
