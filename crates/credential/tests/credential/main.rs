//! The crate from outside: one module for each part.

mod category;
mod check;
mod corpora;
mod dgc_testdata;
mod hcert;
mod jws;
mod status;
mod support;
mod vc_jwt;
mod x509;
