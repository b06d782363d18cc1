//! The crate from outside: one module for each part.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod category;
mod check;
mod corpora;
mod dgc_testdata;
mod evidence;
mod hcert;
mod jws;
mod sd_jwt;
mod sd_jwt_vc;
mod status;
mod support;
mod vc_jwt;
mod x509;
