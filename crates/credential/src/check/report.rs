//! What a check says.

use crate::{CategoryId, DisclosedPerson, Format};
use serde::Serialize;
use serde_json::{Map, Value};
use vidimus_core::{
    Digest, Timestamp,
    reason::{Outcome, Reason, Test},
};

/// The verdict over all tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No test failed, and every required one passed.
    Valid,
    /// A test failed.
    Invalid,
    /// No test failed, but what a required one takes was missing or too old.
    Undetermined,
}

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TestResult {
    /// The test.
    pub test: Test,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Whether the category, or the request, requires it.
    pub required: bool,
    /// Age in seconds of the list it was decided by, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<i64>,
}

/// Ages, in seconds, of what the check was made with; `None` where it had none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ages {
    /// The registry of issuers.
    pub registry: Option<i64>,
    /// The status list of this certificate.
    pub status: Option<i64>,
    /// The list of anchors.
    pub anchors: Option<i64>,
}

/// Who issued, as the registry or the trust list says (not the certificate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerSummary {
    /// Its DID, for a foreign signer with a certificate `x509:` and the certificate's SHA-256, or the `iss` of one that is known by its keys.
    pub id: String,
    /// Its name, if its profile or certificate is at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// What the certificate says. Personal: `Debug` hides the person and the claims.
#[derive(Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// The id of this copy inside the signed bytes: a UUID, the UVCI of a foreign HCERT, or the `jti` of a foreign SD-JWT VC (empty where it has
    /// none).
    pub id: String,
    /// Who issued it.
    pub issuer: IssuerSummary,
    /// The holder's DID, where it is bound to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Whom it is about, as far as that was disclosed.
    pub person: DisclosedPerson,
    /// What it says, as far as that was disclosed.
    pub claims: Map<String, Value>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// From when it is valid.
    pub valid_from: Timestamp,
    /// Until when it is valid.
    pub valid_until: Timestamp,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("id", &self.id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Something that passed its check. Only the checking code of this crate can make one, so a function that takes it cannot be handed what
/// was not checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a check says: a verdict, and every test with its own reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Every test that could be evaluated, in the order of [`Test`]. Where the input does not read, this is the syntax alone.
    pub tests: Vec<TestResult>,
    /// Its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<CategoryId>,
    /// SHA-256 of the issuer-signed bytes; absent where the input does not read. Tells copies apart; a signature does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What it says. Absent when the verdict is invalid: nothing that is not genuine is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// Ages of the lists that were used.
    pub ages: Ages,
    /// When the check was made.
    pub checked_at: Timestamp,
}

impl Report {
    /// The report on input that does not read.
    pub fn refused(reason: Reason, now: Timestamp) -> Self {
        Self {
            verdict: Verdict::Invalid,
            tests: vec![TestResult {
                test: reason.test(),
                outcome: reason.outcome(),
                reason,
                required: true,
                age: None,
            }],
            format: None,
            category: None,
            digest: None,
            certificate: None,
            ages: Ages::default(),
            checked_at: now,
        }
    }

    /// The result of one test.
    pub fn test(&self, test: Test) -> Option<&TestResult> {
        self.tests.iter().find(|result| result.test == test)
    }

    /// Why the verdict is not valid: the reasons of the tests that failed, or else of the required ones that could not be decided.
    pub fn reasons(&self) -> Vec<Reason> {
        let with = |wanted: fn(&TestResult) -> bool| {
            self.tests
                .iter()
                .filter(|result| wanted(result))
                .map(|result| result.reason)
                .collect()
        };
        match self.verdict {
            Verdict::Valid => Vec::new(),
            Verdict::Invalid => with(|result| result.outcome == Outcome::Failed),
            Verdict::Undetermined => {
                with(|result| result.required && matches!(result.outcome, Outcome::Missing | Outcome::Stale))
            }
        }
    }

    /// The certificate, if the verdict is valid; the only way to a [`Verified`] one.
    pub fn verified(&self) -> Option<Verified<Certificate>> {
        match self.verdict {
            Verdict::Valid => self.certificate.clone().map(Verified::new),
            Verdict::Invalid | Verdict::Undetermined => None,
        }
    }
}
