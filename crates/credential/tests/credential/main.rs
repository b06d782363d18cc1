//! The crate from outside: one module for each part.

mod check;
mod hcert;
mod jws;
mod status;
mod support;
mod vc_jwt;
mod x509;
