//! What the outside knows: what was asked, what was acknowledged, and the journal of it.

use serde_json::Value;
use std::{collections::BTreeMap, fs::File, io::Write};

/// SplitMix64: a run can be repeated from its seed.
pub struct Choices(pub u64);

impl Choices {
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// What the outside knows of one report.
#[derive(Clone)]
pub struct Report {
    pub body: Value,
    /// The answer, once it came.
    pub acknowledged: Option<Value>,
    pub round: u64,
    /// Never sent again, to see that the server finishes by itself what it began.
    pub given_up: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Revocation {
    Asked,
    Acknowledged,
}

/// What the clients know, and the journal that they write it to before they count on it.
pub struct Outside {
    pub reports: BTreeMap<String, Report>,
    pub revocations: BTreeMap<String, Revocation>,
    pub journal: File,
    pub acknowledgements: u64,
}

impl Outside {
    pub fn note(&mut self, line: &Value) {
        writeln!(self.journal, "{line}").unwrap();
        self.journal.sync_data().unwrap();
        self.acknowledgements += 1;
    }
}
