//! A verifier's request (OpenID4VP 1.0) as it is put to the holder: who asks, what for, what it would see, and what the wallet refuses by itself.
//!
//! A verifier is limited by its registration. The registry's server holds it to that when the request is made; the wallet does again when it reads it, with
//! what it knows of the registry. Whatever is refused, and whyever, the verifier gets the same answer, which a holder's no gives too.

mod plan;

use crate::{
    PrivateKey, Wallet,
    attribute::{self, Name},
    batch::{Form, Read, Validity},
    registration::{Entry, Policy, Standing},
};
use plan::{Holding, Holdings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};
use vidimus_core::{Digest, Provider, Timestamp};
use vidimus_credential::{category::Categories, sd_jwt::ClaimPath};
use vidimus_openid4vc::{
    dcql::Query,
    vp::{Incoming, Statement, TransactionData, Who},
};

/// A verified request, as far as consent is about it.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Who asks: the client identifier.
    pub client_id: String,
    /// The name in the certificate that signed, which its authority vouches for.
    pub name: Option<String>,
    /// Its DID, where it is known by one.
    pub did: Option<String>,
    /// SHA-256 of the certificate that signed.
    pub certificate: Option<Digest>,
    /// The host that the answer goes to.
    pub host: String,
    /// What is asked for.
    pub query: &'a Query,
    /// What the verifier says of its purpose. Its word alone.
    pub statement: Option<&'a Statement>,
    /// What the holder would authorise.
    pub authorise: &'a [TransactionData],
    /// The request's nonce.
    pub nonce: &'a str,
    /// Until when it may be answered.
    pub expires_at: Option<Timestamp>,
}

impl<'a> Asked<'a> {
    /// Of a request that the protocol's checks let through: pass what [`vidimus_openid4vc::vp::Verified`] holds.
    pub fn of(incoming: &'a Incoming, provider: &dyn Provider) -> Self {
        let request = &incoming.request;
        let (name, did, certificate) = match &incoming.who {
            Who::Certificate(leaf) => (Some(leaf.subject.clone()), None, Some(leaf.fingerprint(provider))),
            Who::Did { did, .. } => (None, Some(did.clone()), None),
            Who::Nobody => (None, None, None),
        };
        Self {
            client_id: request.client_id.to_string(),
            name,
            did,
            certificate,
            host: request.response_uri.url().host_str().unwrap_or_default().to_owned(),
            query: &request.query,
            statement: incoming.statement.as_ref(),
            authorise: &request.transaction_data,
            nonce: &request.nonce,
            expires_at: request.expires_at,
        }
    }

    /// The verifier, where the wallet remembers to whom something was shown: its DID, else the certificate that signed. Several verifiers share the
    /// host name of one deployment (`x509_san_dns`), so a client identifier is only what is left where nobody signed.
    pub fn verifier(&self, provider: &dyn Provider) -> Digest {
        match (&self.did, &self.certificate) {
            (Some(did), _) => provider.sha256(&[b"did\0", did.as_bytes()]),
            (None, Some(certificate)) => provider.sha256(&[b"x509\0", certificate.as_bytes()]),
            (None, None) => provider.sha256(&[b"client\0", self.client_id.as_bytes()]),
        }
    }
    /// The request, where the wallet remembers what was answered.
    pub(crate) fn request(&self, provider: &dyn Provider) -> Digest {
        let verifier = self.verifier(provider);
        provider.sha256(&[verifier.as_bytes(), self.nonce.as_bytes()])
    }
}

/// Why the wallet does not answer, whatever its holder says. The verifier learns nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No registry that the wallet knows has it.
    #[error("no registry that this wallet trusts has this verifier")]
    Unknown,
    /// What is known of it is too old.
    #[error("what is known of this verifier's registration is too old: read the registry again")]
    Stale,
    /// It is suspended.
    #[error("this verifier is suspended in the registry")]
    Suspended,
    /// It is revoked.
    #[error("this verifier is revoked in the registry")]
    Revoked,
    /// It says no purpose, and its registration is for some.
    #[error("this verifier does not say what for; its registration is for certain purposes")]
    NoPurpose,
    /// A purpose that it is not registered for.
    #[error("this verifier is not registered for the purpose {0}")]
    Purpose(String),
    /// An attribute that it is not registered for.
    #[error("this verifier asks for {0}, which it is not registered for")]
    Attribute(String),
    /// The request is over.
    #[error("this request is over")]
    Expired,
    /// The request was answered.
    #[error("this request was answered already")]
    Answered,
    /// Nothing that is held and valid answers it.
    #[error("nothing in this wallet answers this request")]
    Nothing,
    /// What the holder left out, or chose to show it from, leaves no answer.
    #[error("without that, or with that certificate, there is no answer to this request; it can be declined")]
    Wishes,
    /// The holder wants something shown that is not asked for, or not there.
    #[error("{0} is nothing of this request that could be shown too")]
    NotOffered(String),
}

impl Refusal {
    /// Whether who asks may not ask at all: it hears nothing, not even a no.
    pub const fn is_standing(&self) -> bool {
        matches!(self, Self::Unknown | Self::Stale | Self::Suspended | Self::Revoked)
    }

    /// Whether it comes from what the holder chose; another choice, or none, may do.
    pub const fn is_choice(&self) -> bool {
        matches!(self, Self::Wishes | Self::NotOffered(_))
    }
}

/// What the holder chose beyond the default, which is the least: what is required, from copies that nobody can link.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wishes {
    /// Names of attributes that are not shown.
    #[serde(default)]
    pub without: Vec<String>,
    /// Credential queries that are optional, and answered all the same.
    #[serde(default)]
    pub with: Vec<String>,
    /// Which certificate (its number, see [`RECEIVED`](crate::batch::RECEIVED)) answers which credential query.
    #[serde(default)]
    pub using: BTreeMap<String, u32>,
    /// Further certificates (their numbers) for credential queries that take several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, Vec<u32>>,
    /// Certificates that can only be shown whole are, with all that was not asked for.
    #[serde(default)]
    pub whole: bool,
}

/// The view that the holder says yes or no to. Personal: it has the values.
#[derive(Clone, PartialEq, Serialize)]
pub struct Consent {
    /// Who asks.
    pub verifier: Verifier,
    /// What for, by its name in the registry.
    pub purpose: Option<String>,
    /// What for, in the verifier's words.
    pub purpose_text: Option<String>,
    /// How long the verifier says that it keeps it, in seconds; 0: no longer than the check takes. None: it does not say.
    pub retention_seconds: Option<u64>,
    /// Until when it may be answered.
    pub expires_at: Option<Timestamp>,
    /// What the holder would authorise by showing.
    pub authorise: Vec<Authorise>,
    /// What would be shown, and what could be.
    pub credentials: Vec<Offered>,
    #[serde(skip)]
    pub(crate) request: Digest,
    #[serde(skip)]
    pub(crate) seen_by: Digest,
    #[serde(skip)]
    pub(crate) picks: Vec<Pick>,
    #[serde(skip)]
    pub(crate) whole: bool,
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consent")
            .field("verifier", &self.verifier)
            .field("credentials", &self.credentials.len())
            .finish_non_exhaustive()
    }
}

impl Consent {
    /// Whether it would show what was not asked for, which the holder has to want ([`Wishes::whole`]).
    pub fn shows_more(&self) -> bool {
        let chosen = self.credentials.iter().filter(|offered| offered.chosen);
        chosen.flat_map(|offered| &offered.attributes).any(|one| !one.asked)
    }
}

/// Who asks, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verifier {
    /// The client identifier, which was authenticated.
    pub client_id: String,
    /// Its name: in the registry, else in its certificate. None: nobody vouches for one.
    pub name: Option<String>,
    /// The host that the answer goes to.
    pub host: String,
    /// Its DID, where it has one.
    pub did: Option<String>,
    /// How it stands in the registry.
    pub standing: Standing,
    /// As of when that is known.
    pub known_at: Option<Timestamp>,
}

/// What the holder would authorise (OpenID4VP 1.0 §8.4).
#[derive(Clone, PartialEq, Serialize)]
pub struct Authorise {
    /// What kind of transaction.
    pub kind: String,
    /// Which credential queries can authorise it.
    pub credentials: Vec<String>,
    /// What it says.
    pub members: Map<String, Value>,
}

impl fmt::Debug for Authorise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorise({})", self.kind)
    }
}

/// What would answer one credential query.
#[derive(Clone, PartialEq, Serialize)]
pub struct Offered {
    /// The credential query.
    pub id: String,
    /// Whether there is no answer without it.
    pub required: bool,
    /// Whether it is shown if the holder agrees now.
    pub chosen: bool,
    /// The number of the certificate that would be used.
    pub certificate: u32,
    /// Others that would do.
    pub others: Vec<u32>,
    /// Whether several may be shown together.
    pub multiple: bool,
    /// What it is called.
    pub title: String,
    /// Who issued it, as it came in.
    pub issuer: String,
    /// Whether somebody whom the holder trusts vouches for its issuer.
    pub vouched: bool,
    /// Where it stands in time.
    pub validity: Validity,
    /// Unused copies that are left, this one counted.
    pub unused: usize,
    /// Whether another verifier has seen this copy, or it names the holder by the one DID, so that two can tell that it is one holder. New copies keep them
    /// from it.
    pub linkable: bool,
    /// Whether it can only be shown as a whole: `jwt_vc_json` cannot leave anything out.
    pub whole: bool,
    /// What it shows.
    pub attributes: Vec<Attribute>,
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offered({})", self.id)
    }
}

/// One attribute, with what it says.
#[derive(Clone, PartialEq, Serialize)]
pub struct Attribute {
    /// Its name in the registry, else its path.
    pub name: String,
    /// Where it is in the certificate.
    pub path: Value,
    /// What it says.
    pub value: Value,
    /// Whether it was asked for; else it is shown because the certificate is shown whole.
    pub asked: bool,
    /// Whether there is no answer without it.
    pub required: bool,
    /// Whether the verifier's registration has it. None: nothing is known of a registration.
    pub permitted: Option<bool>,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribute({})", self.name)
    }
}

/// What is shown for one credential query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pick {
    pub(crate) id: String,
    pub(crate) batch: u32,
    pub(crate) copy: usize,
    pub(crate) key: PickKey,
    pub(crate) form: Form,
    pub(crate) title: String,
    pub(crate) digest: Digest,
    pub(crate) paths: Vec<ClaimPath>,
    pub(crate) names: Vec<String>,
}

/// A key that takes no part in comparison.
#[derive(Debug, Clone)]
pub(crate) struct PickKey(pub(crate) PrivateKey);

impl PartialEq for PickKey {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Wallet {
    /// Holds a request against what the wallet holds, what it knows of the verifier, and what its holder wants.
    pub fn consider(
        &self,
        asked: &Asked<'_>,
        policy: &Policy,
        wishes: &Wishes,
        categories: &Categories,
        now: Timestamp,
        provider: &dyn Provider,
    ) -> Result<Consent, Refusal> {
        let registered = self.registered(asked);
        let entry = registered.map(|(entry, _)| entry);
        let as_of = registered.map(|(_, as_of)| as_of);
        let standing = policy.standing(entry, as_of.unwrap_or(now), now);
        limit(asked, policy, standing, entry, categories)?;
        if asked.expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::Expired);
        }
        let request = asked.request(provider);
        if self.answered.contains(&request) {
            return Err(Refusal::Answered);
        }
        let seen_by = asked.verifier(provider);
        let holdings = Holdings::of(self, &seen_by, categories, now, provider);
        let permits = |name: &Name| match (entry, name) {
            (Some(entry), Name::Attribute(name)) => Some(entry.attributes.contains(name)),
            (Some(_), Name::Clear(_)) => Some(true),
            (None, _) => None,
        };
        let mut plans = holdings.plans(asked.query);
        let beyond = plans.limit(&|name| permits(name) != Some(false));
        plans.answer(&Wishes::default()).map_err(|_| match beyond {
            Some(name) => Refusal::Attribute(name),
            None => Refusal::Nothing,
        })?;
        let chosen = plans.answer(wishes)?;
        let mut shown = chosen.clone();
        shown.extend(plans.optional(wishes, &chosen));
        let credentials = shown.iter().map(|way| {
            let holding = &holdings.all[way.holding];
            let attributes = way.attributes.iter().map(|(path, name, asked)| {
                let without = Wishes {
                    without: vec![name.as_str().to_owned()],
                    ..Wishes::default()
                };
                Attribute {
                    name: name.as_str().to_owned(),
                    path: path.to_json(),
                    value: value_at(&holding.read, path),
                    asked: *asked,
                    required: plans.answer(&without).is_err(),
                    permitted: permits(name),
                }
            });
            let next = holding.next;
            Offered {
                id: way.id.to_owned(),
                required: plans.needs(way.id),
                chosen: chosen.iter().any(|one| one.id == way.id && one.number == way.number),
                certificate: holding.batch.id(),
                others: plans.others(way),
                multiple: plans.takes_several(way.id),
                title: holding.batch.title().to_owned(),
                issuer: holding.batch.issuer_name().unwrap_or(holding.batch.issuer()).to_owned(),
                vouched: holding.vouched,
                validity: holding.batch.validity(now),
                unused: holding.batch.unused(),
                linkable: next.linkable,
                whole: holding.batch.form() == Form::JwtVcJson,
                attributes: attributes.collect(),
            }
        });
        let credentials = credentials.collect();
        let picks = chosen.iter().map(|way| pick(way, &holdings.all[way.holding]));
        let authorise = asked.authorise.iter().map(|one| Authorise {
            kind: one.kind().to_owned(),
            credentials: one.credential_ids().to_vec(),
            members: one.members().clone(),
        });
        Ok(Consent {
            verifier: Verifier {
                client_id: asked.client_id.clone(),
                name: entry.map(|entry| entry.name.clone()).or_else(|| asked.name.clone()),
                host: asked.host.clone(),
                did: entry.map(|entry| entry.did.clone()).or_else(|| asked.did.clone()),
                standing,
                known_at: as_of,
            },
            purpose: asked.statement.map(|statement| statement.purpose.clone()),
            purpose_text: asked.statement.and_then(|statement| statement.purpose_text.clone()),
            retention_seconds: asked.statement.map(|statement| statement.retention_seconds),
            expires_at: asked.expires_at,
            authorise: authorise.collect(),
            credentials,
            request,
            seen_by,
            picks: picks.collect(),
            whole: wishes.whole,
        })
    }

    /// The verifier's entry in the registries that the wallet knows, the worst where there are several, and as of when.
    pub(crate) fn registered(&self, asked: &Asked<'_>) -> Option<(&Entry, Timestamp)> {
        use crate::registration::State;
        let found = self.registries.iter().filter_map(|registry| {
            let entry = registry.find(asked.did.as_deref(), asked.certificate.as_ref())?;
            Some((entry, registry.as_of))
        });
        found.max_by_key(|(entry, as_of)| {
            let bad = match entry.state {
                State::Active => 0,
                State::Suspended => 1,
                State::Revoked => 2,
            };
            (bad, *as_of)
        })
    }
}

/// What the registration says about the request itself, whatever is held.
fn limit(
    asked: &Asked<'_>,
    policy: &Policy,
    standing: Standing,
    entry: Option<&Entry>,
    categories: &Categories,
) -> Result<(), Refusal> {
    match standing {
        Standing::Suspended => return Err(Refusal::Suspended),
        Standing::Revoked => return Err(Refusal::Revoked),
        Standing::Unknown if policy.registered_only => return Err(Refusal::Unknown),
        Standing::Stale if policy.registered_only => return Err(Refusal::Stale),
        Standing::Unknown | Standing::Stale | Standing::Admitted => {}
    }
    let Some(entry) = entry else { return Ok(()) };
    let purpose = asked.statement.map(|statement| &statement.purpose);
    let purpose = purpose.ok_or(Refusal::NoPurpose)?;
    if !entry.purposes.contains(purpose) {
        return Err(Refusal::Purpose(purpose.clone()));
    }
    let names = attribute::of_query(asked.query, categories);
    let beyond = names.into_iter().find(|name| !entry.attributes.contains(name));
    beyond.map_or(Ok(()), |name| Err(Refusal::Attribute(name)))
}

fn pick(way: &plan::Way, holding: &Holding<'_>) -> Pick {
    let copy = &holding.batch.copies()[holding.next.copy];
    Pick {
        id: way.id.to_owned(),
        batch: holding.batch.id(),
        copy: holding.next.copy,
        key: PickKey(copy.key().clone()),
        form: holding.batch.form(),
        title: holding.batch.title().to_owned(),
        digest: copy.digest(),
        paths: way.paths.clone(),
        names: way
            .attributes
            .iter()
            .map(|(_, name, _)| name.as_str().to_owned())
            .collect(),
    }
}

/// The value at a path without wildcards.
fn value_at(read: &Read, path: &ClaimPath) -> Value {
    let claims = read.claims.as_object();
    let found = claims.map(|claims| path.select(claims)).unwrap_or_default();
    found.into_iter().next().map_or(Value::Null, |(_, value)| value.clone())
}
