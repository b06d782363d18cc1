#![allow(clippy::unwrap_used, reason = "tests")]

mod dcql;
mod jwe;
mod oauth;
mod vci;
mod vp;
