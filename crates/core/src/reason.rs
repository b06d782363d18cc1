//! The tests of a check and the reasons they give. `vectors/reasons.json` is the file that both languages read; a test holds this enum to it.

use serde::{Deserialize, Serialize};

/// One test of a check. The order is the order of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Reads as a certificate of a known category.
    Syntax,
    /// Signed by a key of the issuer it names.
    Signature,
    /// The issuer was admitted for this category then, and stands well now.
    Issuer,
    /// Whoever shows it holds the keys it was issued to.
    HolderBinding,
    /// The presentation answers this request, and was made for this verifier.
    Nonce,
    /// The holder signed its receipt.
    CounterSignature,
    /// Neither revoked nor suspended.
    Status,
    /// Within its time.
    Validity,
    /// The content meets the category's rule for acceptance.
    Acceptance,
    /// It is what was committed to.
    Integrity,
    /// The commitment is under an anchor on the ledger.
    Receipt,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold: the verdict is invalid if the test is required.
    Failed,
    /// What it takes was not at hand: undetermined if required.
    Missing,
    /// What it takes is too old: undetermined if required.
    Stale,
    /// This form of certificate does not have it; said, never silent.
    NotApplicable,
    /// The verifier's own policy does without it; said, never silent, and never *passed*.
    Waived,
}

macro_rules! reasons {
    ($($name:ident = $code:literal, $test:ident, $outcome:ident;)*) => {
        /// Why a test ended as it did. Codes are stable: programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason { $(#[doc = concat!("`", $code, "`: see `vectors/reasons.json`.")] #[serde(rename = $code)] $name),* }

        impl Reason {
            /// Every reason, in the order of `vectors/reasons.json`.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The stable code.
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code),* } }
            /// The test that gives this reason.
            pub const fn test(self) -> Test { match self { $(Self::$name => Test::$test),* } }
            /// How the test ended.
            pub const fn outcome(self) -> Outcome { match self { $(Self::$name => Outcome::$outcome),* } }
        }
    };
}

reasons! {
    SyntaxOk = "syntax_ok", Syntax, Passed;
    TooLarge = "too_large", Syntax, Failed;
    Malformed = "malformed", Syntax, Failed;
    UnsupportedFormat = "unsupported_format", Syntax, Failed;
    UnknownCategory = "unknown_category", Syntax, Failed;
    SchemaMismatch = "schema_mismatch", Syntax, Failed;
    EvidenceMalformed = "evidence_malformed", Syntax, Failed;
    SignatureOk = "signature_ok", Signature, Passed;
    SignatureInvalid = "signature_invalid", Signature, Failed;
    AlgorithmNotAllowed = "algorithm_not_allowed", Signature, Failed;
    KeyUnknown = "key_unknown", Signature, Failed;
    KeyExpired = "key_expired", Signature, Failed;
    KeyRevoked = "key_revoked", Signature, Failed;
    KeyRevokedSince = "key_revoked_since", Signature, Missing;
    KeyUsage = "key_usage", Signature, Failed;
    KeyUnavailable = "key_unavailable", Signature, Missing;
    IssuerOk = "issuer_ok", Issuer, Passed;
    IssuerTrusted = "issuer_trusted", Issuer, Passed;
    IssuerUnknown = "issuer_unknown", Issuer, Failed;
    IssuerNotAdmitted = "issuer_not_admitted", Issuer, Failed;
    IssuerCategory = "issuer_category", Issuer, Failed;
    IssuerSuspended = "issuer_suspended", Issuer, Failed;
    IssuerRevoked = "issuer_revoked", Issuer, Failed;
    RegistryMissing = "registry_missing", Issuer, Missing;
    RegistryStale = "registry_stale", Issuer, Stale;
    HolderBindingOk = "holder_binding_ok", HolderBinding, Passed;
    HolderBindingInvalid = "holder_binding_invalid", HolderBinding, Failed;
    HolderBindingMissing = "holder_binding_missing", HolderBinding, Missing;
    HolderBindingNotApplicable = "holder_binding_not_applicable", HolderBinding, NotApplicable;
    NonceOk = "nonce_ok", Nonce, Passed;
    NonceMismatch = "nonce_mismatch", Nonce, Failed;
    AudienceMismatch = "audience_mismatch", Nonce, Failed;
    PurposeMismatch = "purpose_mismatch", Nonce, Failed;
    PresentationExpired = "presentation_expired", Nonce, Failed;
    PresentationMissing = "presentation_missing", Nonce, Missing;
    RequestMissing = "request_missing", Nonce, Missing;
    NonceNotApplicable = "nonce_not_applicable", Nonce, NotApplicable;
    CounterSignatureOk = "counter_signature_ok", CounterSignature, Passed;
    CounterSignatureInvalid = "counter_signature_invalid", CounterSignature, Failed;
    CounterSignatureMissing = "counter_signature_missing", CounterSignature, Missing;
    CounterSignatureNotApplicable = "counter_signature_not_applicable", CounterSignature, NotApplicable;
    StatusOk = "status_ok", Status, Passed;
    Revoked = "revoked", Status, Failed;
    Suspended = "suspended", Status, Failed;
    StatusInvalid = "status_invalid", Status, Failed;
    StatusMissing = "status_missing", Status, Missing;
    StatusAbsent = "status_absent", Status, Missing;
    StatusStale = "status_stale", Status, Stale;
    StatusNotApplicable = "status_not_applicable", Status, NotApplicable;
    ValidityOk = "validity_ok", Validity, Passed;
    Expired = "expired", Validity, Failed;
    NotYetValid = "not_yet_valid", Validity, Failed;
    AcceptanceOk = "acceptance_ok", Acceptance, Passed;
    NotAcceptable = "not_acceptable", Acceptance, Failed;
    AcceptanceUndisclosed = "acceptance_undisclosed", Acceptance, Missing;
    AcceptanceNotApplicable = "acceptance_not_applicable", Acceptance, NotApplicable;
    IntegrityOk = "integrity_ok", Integrity, Passed;
    IntegrityMismatch = "integrity_mismatch", Integrity, Failed;
    IntegrityMissing = "integrity_missing", Integrity, Missing;
    IntegrityNotApplicable = "integrity_not_applicable", Integrity, NotApplicable;
    IntegrityWaived = "integrity_waived", Integrity, Waived;
    ReceiptOk = "receipt_ok", Receipt, Passed;
    ReceiptMismatch = "receipt_mismatch", Receipt, Failed;
    RootUnknown = "root_unknown", Receipt, Failed;
    ReceiptMissing = "receipt_missing", Receipt, Missing;
    EvidenceMissing = "evidence_missing", Receipt, Missing;
    LedgerMissing = "ledger_missing", Receipt, Missing;
    LedgerStale = "ledger_stale", Receipt, Stale;
    ReceiptNotApplicable = "receipt_not_applicable", Receipt, NotApplicable;
    ReceiptWaived = "receipt_waived", Receipt, Waived;
}

impl Reason {
    /// The sentence for people, in English, from `vectors/reasons.json`.
    pub fn text(self) -> &'static str {
        let row = &TABLE.reasons[self as usize];
        debug_assert_eq!((row.code, row.test, row.outcome), (self, self.test(), self.outcome()));
        &row.text
    }
}

#[derive(Debug, Deserialize)]
struct Table {
    reasons: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    test: Test,
    code: Reason,
    outcome: Outcome,
    text: String,
}

static TABLE: std::sync::LazyLock<Table> = std::sync::LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../vectors/reasons.json")).expect("compiled in, and read by a test")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_enum_and_the_file_say_the_same() {
        let rows: Vec<_> = TABLE
            .reasons
            .iter()
            .map(|row| (row.code, row.test, row.outcome))
            .collect();
        let here: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| (*reason, reason.test(), reason.outcome()))
            .collect();
        assert_eq!(rows, here);
        assert!(Reason::ALL.iter().all(|reason| !reason.text().is_empty()));
    }
}
