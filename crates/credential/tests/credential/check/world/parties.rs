//! Who takes part: deployments, laboratories of every standing, travellers.

use super::*;

/// The certificate authority of a deployment, and its signer of lists.
pub struct Deployment {
    pub authority: Authority,
    pub lists: TestKey,
    pub lists_certificate: Vec<u8>,
}

impl Deployment {
    pub fn new(name: &str) -> Self {
        let validity = Validity {
            not_before: at("2025-01-01T00:00:00Z"),
            not_after: at("2035-01-01T00:00:00Z"),
        };
        let root = TestKey::p256(&format!("{name}-root"));
        let authority =
            Authority::create(root, subject(&format!("{name} root")), validity, &mut Seeded::new(name)).unwrap();
        let lists = TestKey::p256(&format!("{name}-lists"));
        let lists_certificate = authority
            .issue_status_signer(
                lists.public_key(),
                &subject(&format!("{name} lists")),
                validity,
                now(),
                &mut Seeded::new("lists"),
            )
            .unwrap();
        Self {
            authority,
            lists,
            lists_certificate,
        }
    }

    /// The certificate of a relying party.
    pub fn certify_verifier(&self, key: &TestKey) -> Vec<u8> {
        let validity = Validity {
            not_before: at("2026-01-01T00:00:00Z"),
            not_after: at("2028-01-01T00:00:00Z"),
        };
        let hosts = ["verifier.example".to_owned()];
        let entropy = &mut Seeded::new(&key.name);
        self.authority
            .issue_access(
                key.public_key(),
                &subject(&key.name),
                &hosts,
                &[],
                validity,
                now(),
                entropy,
            )
            .unwrap()
    }

    /// A document signer's certificate.
    pub fn certify(&self, key: &TestKey, groups: &[DocumentGroup], from: &str, until: &str) -> Vec<u8> {
        let validity = Validity {
            not_before: at(from),
            not_after: at(until),
        };
        self.authority
            .issue_document_signer(
                key.public_key(),
                &subject(&key.name),
                groups,
                validity,
                validity.not_before,
                &mut Seeded::new(&key.name),
            )
            .unwrap()
    }
}

/// Somebody else's issuer, whom [`OTHER`] certified.
pub static ISSUER_ELSEWHERE: LazyLock<(TestKey, Vec<u8>)> = LazyLock::new(|| {
    let (key, der, _) = foreign();
    (key, der)
});
/// A third deployment.
pub static THIRD: LazyLock<Deployment> = LazyLock::new(|| Deployment::new("third"));

pub(super) fn subject(name: &str) -> Subject {
    Subject {
        common_name: name.to_owned(),
        organization: None,
        country: Some("AT".to_owned()),
    }
}

pub static DEPLOYMENT: LazyLock<Deployment> = LazyLock::new(|| Deployment::new("health"));
/// Somebody else's.
pub static OTHER: LazyLock<Deployment> = LazyLock::new(|| Deployment::new("elsewhere"));

/// An issuer: its account, its P-256 keys by version with their certificates.
pub struct Lab {
    pub account: TestKey,
    pub keys: Vec<(TestKey, Vec<u8>)>,
}

impl Lab {
    fn new(name: &str, keys: &[(&[DocumentGroup], &str, &str)]) -> Self {
        let keys = keys
            .iter()
            .enumerate()
            .map(|(i, (groups, from, until))| {
                let key = TestKey::p256(&format!("{name}-{}", i + 1));
                let certificate = DEPLOYMENT.certify(&key, groups, from, until);
                (key, certificate)
            })
            .collect();
        Self {
            account: TestKey::account(name),
            keys,
        }
    }
    pub fn did(&self) -> String {
        self.account.did()
    }
    pub fn kid(&self, version: usize) -> [u8; 8] {
        kid(&self.keys[version - 1].1)
    }
    pub(super) fn registered(&self, version: usize) -> Keys {
        let (key, certificate) = &self.keys[version - 1];
        Keys {
            p256: Some(key.public_key().clone()),
            x25519: None,
            certificate: Some(PROVIDER.sha256(&[certificate])),
        }
    }
}

pub fn kid(der: &[u8]) -> [u8; 8] {
    PROVIDER.sha256(&[der]).0[..8].try_into().unwrap()
}

pub(super) const ALL: &[DocumentGroup] = &[DocumentGroup::Test, DocumentGroup::Vaccination, DocumentGroup::Recovery];
pub(super) const YEARS: (&[DocumentGroup], &str, &str) = (ALL, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");

pub struct Labs {
    /// In good standing; changed its keys on 1 February.
    pub lab: Lab,
    /// Vaccinates, does not test.
    pub clinic: Lab,
    /// Admitted on the morning of the check.
    pub late: Lab,
    /// Suspended since 20 February.
    pub suspended: Lab,
    /// Suspended for five days in February.
    pub resumed: Lab,
    /// Revoked on 20 February.
    pub revoked: Lab,
    /// Tested until 1 March, 12:00.
    pub withdrawn: Lab,
    /// Its first keys count as stolen from 25 February on.
    pub robbed: Lab,
    /// Tests, but its document signer is certified for vaccinations only; its second one for nothing any more.
    pub mixed: Lab,
    /// Handed its DID over to a new account on 1 February.
    pub moved: Lab,
    /// The account it was handed over to.
    pub moved_to: TestKey,
    /// Registered the same keys once more on 1 February.
    pub kept: Lab,
    /// Gave its DID up on 1 February; what is said of its owner later counts for nothing.
    pub gone: Lab,
    /// Never admitted.
    pub stranger: Lab,
}

pub static LABS: LazyLock<Labs> = LazyLock::new(|| {
    let vaccinations: &[DocumentGroup] = &[DocumentGroup::Vaccination];
    Labs {
        lab: Lab::new("lab", &[YEARS, YEARS]),
        clinic: Lab::new("clinic", &[YEARS]),
        late: Lab::new("late", &[YEARS]),
        suspended: Lab::new("suspended", &[YEARS]),
        resumed: Lab::new("resumed", &[YEARS]),
        revoked: Lab::new("revoked", &[YEARS]),
        withdrawn: Lab::new("withdrawn", &[YEARS]),
        robbed: Lab::new("robbed", &[YEARS, YEARS]),
        mixed: Lab::new(
            "mixed",
            &[
                (vaccinations, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
                (ALL, "2026-01-01T00:00:00Z", "2026-02-15T00:00:00Z"),
            ],
        ),
        moved: Lab::new("moved", &[YEARS]),
        moved_to: TestKey::account("moved-to"),
        kept: Lab::new("kept", &[YEARS]),
        gone: Lab::new("gone", &[YEARS]),
        stranger: Lab::new("stranger", &[YEARS]),
    }
});

pub struct Holder {
    pub account: TestKey,
    pub p256: TestKey,
}

impl Holder {
    fn new(name: &str) -> Self {
        Self {
            account: TestKey::account(name),
            p256: TestKey::p256(name),
        }
    }
    pub fn did(&self) -> String {
        self.account.did()
    }
    /// The card, signed by `signer`, which should be the account.
    pub fn card_by(&self, signer: &TestKey) -> String {
        let card = HolderCard {
            did: self.did(),
            signing_key: self.p256.public_key().clone(),
            sealing_key: [0x25; 32],
            issued_at: at("2026-02-01T00:00:00Z"),
        };
        let possession = self.p256.sign(Algorithm::Es256, &card.possession_message()).unwrap();
        let unsigned = card.prepare(&possession);
        let signature = signer.sign(Algorithm::Es256k, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
    pub fn card(&self) -> String {
        self.card_by(&self.account)
    }
    /// A counter-signature by the account key.
    pub fn countersign(&self, copy: &str) -> String {
        let digest = digest_of(copy);
        let unsigned = countersign::prepare(
            &self.did(),
            &digest,
            at("2026-03-01T10:00:00Z"),
            Algorithm::Es256k,
            None,
        );
        let signature = self.account.sign(Algorithm::Es256k, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
    /// A presentation as it should be.
    pub fn present(&self, envelope: &Envelope) -> String {
        self.present_as(&Show::default(), std::slice::from_ref(envelope))
    }
    /// A presentation that names another as its holder.
    pub fn present_in_the_name_of(&self, other: &Self, envelope: Envelope) -> String {
        let show = Show {
            holder: Some(other.did()),
            ..Show::default()
        };
        self.present_as(&show, &[envelope])
    }
    /// A presentation with something different about it.
    pub fn present_as(&self, show: &Show, envelopes: &[Envelope]) -> String {
        let did = self.did();
        let draft = Draft {
            holder: show.holder.as_deref().unwrap_or(&did),
            audience: &show.audience,
            nonce: &show.nonce,
            purpose: show.purpose.as_deref(),
            issued_at: show.issued_at,
            expires_at: show.expires_at,
            envelopes,
            card: show.card.as_deref(),
        };
        let unsigned = draft.prepare(show.algorithm);
        let key = if show.algorithm == Algorithm::Es256 {
            &self.p256
        } else {
            &self.account
        };
        let signature = key.sign(show.algorithm, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
}

pub struct Show {
    pub holder: Option<String>,
    pub audience: String,
    pub nonce: String,
    pub purpose: Option<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub algorithm: Algorithm,
    pub card: Option<String>,
}

impl Default for Show {
    fn default() -> Self {
        let Expected {
            nonce,
            audience,
            purpose,
        } = request();
        Self {
            holder: None,
            audience,
            nonce,
            purpose,
            issued_at: now().plus(-20),
            expires_at: now().plus(100),
            algorithm: Algorithm::Es256k,
            card: None,
        }
    }
}

pub static TRAVELLER: LazyLock<Holder> = LazyLock::new(|| Holder::new("traveller"));
pub static THIEF: LazyLock<Holder> = LazyLock::new(|| Holder::new("thief"));
