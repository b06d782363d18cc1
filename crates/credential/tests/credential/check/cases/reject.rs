//! Well-formed, and not to be accepted.

mod content;
mod hcerts;
mod holders;
mod issuers;
mod receipts;
mod rsa;
mod signatures;
mod status;

use super::*;
use crate::check::world::{
    REVOKED, SUSPENDED, TOKEN_LIST, at, did, foreign, kid, now, receipt, request, token_list_of, token_list_with,
    vaccination,
};
use serde_json::json as object;
use vidimus_core::{Address, encoding::base64};
use vidimus_credential::check::{Policy, bundle::List};

pub use holders::without_time;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: Build<'_>| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    signatures::cases(&mut add);
    issuers::cases(&mut add);
    status::cases(&mut add);
    content::cases(&mut add);
    receipts::cases(&mut add);
    holders::cases(&mut add);
    hcerts::cases(&mut add);
    rsa::cases(&mut add);
    cases
}
