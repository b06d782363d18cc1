//! Copies: planned with the intent, signed by the issuer's key (here, or where the issuer keeps it), sealed to the holder, handed out.

pub mod keys;
mod paper;
mod view;

pub use keys::{IssuerKeys, issuer_keys};
pub use paper::{Code, Kept, evidence_of, printed, receipt, to_receipt};
pub use view::{await_anchors, issued_view, view};

use crate::app::{
    App,
    deployment::STATUS_PLACES,
    error::Error,
    issue::Body,
    keys::place,
    principal::Principal,
    render::{self, CopyTerms, Subject},
    requests::{CertificateView, CopySignature},
    wallets::{self, own_keys},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vidimus_core::{
    Algorithm, Commitment, Digest, Provider, PublicKey, Salt, Signer as _, Timestamp,
    encoding::{base64url, from_base64url, from_hex_exact},
    id::{CertificateId, CopyId, KeyId},
};
use vidimus_credential::{
    CategoryId, Format, StatusReference,
    check::Envelope,
    format::{Unsigned, vc_jwt::context_url},
};
use vidimus_crypto::{
    DataKey, SealingPublicKey, eip1098,
    envelope::{self, Padding},
};
use vidimus_store::{
    Scope, Tx, audit, certificates,
    copies::{self as rows, State},
    idempotency, keys as key_rows, participants, persons, results,
};

/// What HPKE's `info` says of a sealed copy. The wallet says the same.
pub const SEAL_INFO: &[u8] = b"vidimus/copy/v1";

/// How a copy is to be made: everything its signed bytes follow from, beside the result. Kept with the intent, under the person's data key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Rendering.
    pub format: Format,
    /// Signature algorithm.
    pub algorithm: Algorithm,
    /// The issuer's key.
    pub key: KeyId,
    /// Whose keys it is bound to; none for paper.
    pub holder: Option<String>,
    /// The holder's X25519 key, hexadecimal.
    pub sealing_key: Option<String>,
    /// EIP-1098 envelope in place of HPKE.
    pub eip1098: bool,
    /// When it is signed.
    pub issued_at: Timestamp,
    /// Under which number a signing key stands in the issuer's DID document, where that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<u64>,
    /// For a wallet that waits for it: nobody else keeps it, and one that was not signed at once is never needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<ForWallet>,
}

/// What a copy for a waiting wallet is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForWallet {
    /// The key that an SD-JWT VC is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// What its salts and decoys are drawn from, so that the same plan gives the same bytes.
    pub seed: Digest,
}

/// Whom a copy for a wallet is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// A DID, where the wallet named its key by one.
    pub did: Option<String>,
    /// The key, where it is known: a did:ethr is an account.
    pub key: Option<PublicKey>,
}

impl Holder {
    /// As the copy's row names it: a DID, or the key's thumbprint (RFC 9278).
    pub fn name(&self, provider: &dyn Provider) -> Option<String> {
        let thumbprint = || {
            let digest = self.key.as_ref()?.thumbprint(provider)?;
            Some(thumbprint_uri(&digest))
        };
        self.did.clone().or_else(thumbprint)
    }

    /// As a DID: the wallet's own, or did:jwk of its key, for formats that name holders so.
    pub fn to_did(&self) -> Option<String> {
        let of_key = || {
            Some(format!(
                "did:jwk:{}",
                base64url(self.key.as_ref()?.to_jwk()?.to_string().as_bytes())
            ))
        };
        self.did.clone().or_else(of_key)
    }
}

/// A key's thumbprint as a URI (RFC 9278).
pub fn thumbprint_uri(digest: &Digest) -> String {
    format!(
        "urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}",
        base64url(digest.as_bytes())
    )
}

/// A signed copy: its row, and its text for whoever waits for it.
#[derive(Clone)]
pub struct Finished {
    /// What is kept.
    pub row: rows::Signed,
    /// The copy.
    pub text: String,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished")
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

/// The data key of a person that is there.
pub async fn data_key(app: &App, person: &Digest) -> Result<DataKey, Error> {
    let wanted = *person;
    let found = app.store.get(move |tx| persons::find(tx, &wanted)).await?;
    let wrapped = found.and_then(|person| person.data_key).ok_or_else(erased)?;
    app.keys.person_key(&person.0, &wrapped)
}

fn erased() -> Error {
    Error::conflict("erased", "this person's data were erased", "report a new result")
}

/// A certificate with all that its copies follow from.
#[derive(Debug)]
pub struct Loaded {
    /// Its row.
    pub certificate: certificates::Certificate,
    /// Its issuer's row.
    pub issuer: participants::Participant,
    /// What it says.
    pub subject: Subject,
    /// The person's data key.
    pub data_key: DataKey,
    /// Its copies.
    pub copies: Vec<rows::Copy>,
}

/// Reads it.
pub async fn load(app: &App, scope: Scope, id: CertificateId) -> Result<Loaded, Error> {
    let found = app
        .store
        .get(move |tx| {
            let Some(certificate) = certificates::find(tx, &scope, id)? else {
                return Ok(None);
            };
            let result = results::find(tx, &scope, certificate.result)?;
            let person = persons::find(tx, &certificate.person)?;
            let issuer = participants::find(tx, certificate.participant)?;
            let copies = rows::list_by_certificate(tx, &scope, id)?;
            Ok::<_, vidimus_store::Error>(Some((certificate, result, person, issuer, copies)))
        })
        .await?;
    let (certificate, result, person, issuer, copies) = found.ok_or(Error::NotFound("certificate"))?;
    let issuer = issuer.ok_or(Error::Internal("a certificate without issuer"))?;
    let result = result.ok_or(Error::Internal("a certificate without result"))?;
    let wrapped = person.and_then(|person| person.data_key).ok_or_else(erased)?;
    let data_key = app.keys.person_key(&certificate.person.0, &wrapped)?;
    let sealed = result.body.ok_or_else(erased)?;
    let plain = data_key.open(&place("results", result.id.as_bytes(), "body"), &sealed)?;
    let body: Body =
        serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept result does not read"))?;
    let subject = Subject {
        category: CategoryId::new(certificate.category.as_str()).map_err(|_| Error::Internal("a kept category"))?,
        issuer: issuer.did.clone(),
        country: issuer.country.clone(),
        person: body.person,
        claims: body.claims,
        valid_from: certificate.valid_from,
        valid_until: certificate.valid_until,
    };
    Ok(Loaded {
        certificate,
        issuer,
        subject,
        data_key,
        copies,
    })
}

fn plan_of(loaded: &Loaded, copy: &rows::Copy) -> Result<Plan, Error> {
    let sealed = copy
        .prepared
        .as_deref()
        .ok_or(Error::Internal("an intent without its plan"))?;
    let plain = loaded
        .data_key
        .open(&place("copies", copy.id.as_bytes(), "prepared"), sealed)?;
    serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept plan does not read"))
}

/// The bytes to sign for an intent, and the key that signs them.
async fn prepare(
    app: &App,
    loaded: &Loaded,
    copy: &rows::Copy,
    plan: &Plan,
) -> Result<(Unsigned, Arc<key_rows::Key>), Error> {
    let status = status_reference(app, copy.status_list, copy.status_index);
    unsigned(app, &loaded.subject, copy.id, plan, status).await
}

/// Refuses copies that could not be rendered, before anything is written of them: with what is not known yet in place of it, at its longest.
pub async fn require_renderable(app: &App, subject: &Subject, plans: &[Plan]) -> Result<(), Error> {
    for plan in plans.iter().filter(|plan| plan.format == Format::Hcert) {
        let status = status_reference(app, FARTHEST_LIST, STATUS_PLACES - 1);
        let (unsigned, _) = unsigned(app, subject, SOME_COPY, plan, status).await?;
        render::require_drawable(&unsigned)?;
    }
    Ok(())
}

/// More lists than there will be, in digits that do not compress.
const FARTHEST_LIST: u64 = 987_654;
/// An id that compresses no better than others.
const SOME_COPY: CopyId = CopyId::from_bytes([
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe,
]);

async fn unsigned(
    app: &App,
    subject: &Subject,
    id: CopyId,
    plan: &Plan,
    status: StatusReference,
) -> Result<(Unsigned, Arc<key_rows::Key>), Error> {
    let key = app.key(plan.key).await?;
    let fragment = match plan.algorithm {
        // What is not there yet will most often be there as the registry counts it.
        Algorithm::Es256 => format!("delegate-{}", plan.delegate.unwrap_or(key.version.into())),
        _ => "controller".to_owned(),
    };
    let signer = key.certificate.as_deref().map(|der| {
        let mut kid = [0; 8];
        kid.copy_from_slice(&app.provider.sha256(&[der]).0[..8]);
        kid
    });
    let sd_jwt = match &plan.wallet {
        Some(wallet) if plan.format == Format::SdJwtVc => Some(sd_jwt_terms(app, subject, wallet, &key)?),
        _ => None,
    };
    let terms = CopyTerms {
        id,
        format: plan.format,
        algorithm: plan.algorithm,
        kid: format!("{}#{fragment}", subject.issuer),
        signer,
        holder: plan.holder.clone(),
        issued_at: plan.issued_at,
        status,
        sd_jwt,
    };
    let context = context_url(app.config.server.public_url.as_str());
    Ok((
        render::prepare(&app.categories, &context, subject, &terms, app.provider())?,
        key,
    ))
}

fn sd_jwt_terms(
    app: &App,
    subject: &Subject,
    wallet: &ForWallet,
    key: &key_rows::Key,
) -> Result<render::SdJwtTerms, Error> {
    let integrity = wallets::credential::type_metadata(app, &subject.category)?.1.clone();
    let participant = key.participant.ok_or(Error::Internal("an issuer's key is nobody's"))?;
    let certificate = key.certificate.clone();
    Ok(render::SdJwtTerms {
        issuer: app.url(&format!("/issuers/{participant}")),
        vct: wallets::credential::vct(app, &subject.category),
        integrity,
        holder: wallet
            .key
            .clone()
            .ok_or(Error::Internal("an SD-JWT VC without the holder's key"))?,
        chain: vec![certificate.ok_or(Error::Internal("an issuer's signing key has no certificate"))?],
        seed: wallet.seed,
    })
}

/// Where a copy's status is found.
pub fn status_reference(app: &App, list: u64, index: u64) -> StatusReference {
    StatusReference {
        token_list: app.url(&format!("/v1/status/{list}/token")),
        bitstring_list: Some(app.url(&format!("/v1/status/{list}/bitstring/revocation"))),
        suspension_list: Some(app.url(&format!("/v1/status/{list}/bitstring/suspension"))),
        index,
    }
}

/// Signs every copy of a certificate that is still an intent and whose key is kept here, and commits them together with the answer to the
/// idempotency key. Safe to repeat: what was completed meanwhile stays as it is.
pub async fn sign_all(app: &App, scope: Scope, id: CertificateId, key: Option<String>) -> Result<(), Error> {
    let loaded = load(app, scope, id).await?;
    let (mut planned, mut waited_for) = (Vec::new(), Vec::new());
    for copy in loaded.copies.iter().filter(|copy| copy.state == State::Intent) {
        let plan = plan_of(&loaded, copy)?;
        if plan.wallet.is_some() {
            // A wallet that was cut off asks again, for other copies. One that is just being answered is let be, and so is one that waits for
            // an issuer's own signature.
            let own = loaded.issuer.custody == participants::Custody::Own;
            if !own && app.now().since(copy.created) > LEFT {
                waited_for.push(copy.id);
            }
        } else {
            planned.push((copy.clone(), plan));
        }
    }
    if !waited_for.is_empty() {
        let abandon = move |tx: &mut Tx<'_>| {
            waited_for
                .iter()
                .try_for_each(|id| rows::abandon(tx, &scope, *id).map(drop))
        };
        app.store.write(abandon).await?;
    }
    if planned.is_empty() && key.is_none() {
        return Ok(());
    }
    sign(app, scope, &loaded, &planned, key).await.map(drop)
}

/// After so many seconds nobody waits for a copy any more.
const LEFT: i64 = 120;

/// [`sign_all`] for what the caller has at hand already. Gives what was signed and kept: nothing where the
/// issuer keeps its own keys.
pub async fn sign(
    app: &App,
    scope: Scope,
    loaded: &Loaded,
    planned: &[(rows::Copy, Plan)],
    key: Option<String>,
) -> Result<Vec<rows::Signed>, Error> {
    let participant = loaded.certificate.participant;
    let id = loaded.certificate.id;
    let finish = move |tx: &mut Tx<'_>, _: &[CopyId]| match &key {
        Some(key) => idempotency::finish(tx, participant, key, id.as_bytes())
            .map(drop)
            .map_err(Error::from),
        None => Ok(()),
    };
    let signed = sign_with(app, scope, loaded, planned, finish).await?;
    Ok(signed.into_iter().map(|finished| finished.row).collect())
}

/// [`sign`], with the text of each copy; `last` runs in the transaction that completes them, with those that it completed.
pub async fn sign_with(
    app: &App,
    scope: Scope,
    loaded: &Loaded,
    planned: &[(rows::Copy, Plan)],
    last: impl Fn(&mut Tx<'_>, &[CopyId]) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<Vec<Finished>, Error> {
    crate::fault::point(crate::fault::AFTER_INTENT);
    let (mut signed, mut given_up) = (Vec::new(), Vec::new());
    if loaded.issuer.custody == participants::Custody::Wrapped {
        for (copy, plan) in planned {
            let (unsigned, row) = prepare(app, loaded, copy, plan).await?;
            if keys::is_revoked(app, &loaded.issuer, &row) {
                // Revoked since it was planned: nobody would trust what is signed now.
                given_up.push(copy.id);
                continue;
            }
            let signer = keys::signer(app, &row)?;
            let signature = signer
                .sign(plan.algorithm, unsigned.message())
                .map_err(|_| Error::Internal("an issuer's key does not sign"))?;
            signed.push(finish(app, loaded, copy.id, plan, unsigned, &signature)?);
        }
    }
    let (chain, now) = (app.facts.chain, app.now());
    let to_publish = signed.iter().any(|finished| finished.row.payload.is_some());
    let to_write: Arc<Vec<rows::Signed>> = Arc::new(signed.iter().map(|finished| finished.row.clone()).collect());
    crate::fault::point(crate::fault::AFTER_SIGN);
    let completed = app
        .store
        .write(move |tx| {
            for copy in &given_up {
                rows::abandon(tx, &scope, *copy)?;
            }
            let mut completed = Vec::new();
            for copy in to_write.iter() {
                if rows::complete(tx, &scope, copy, chain, now)? {
                    completed.push(copy.id);
                }
            }
            last(tx, &completed)?;
            Ok::<_, Error>(completed)
        })
        .await?;
    crate::fault::point(crate::fault::AFTER_COMPLETE);
    if to_publish {
        app.wake.outbox.notify_one();
    }
    // What another request completed meanwhile is what counts, and this one's is thrown away.
    signed.retain(|copy| completed.contains(&copy.row.id));
    Ok(signed)
}

/// A signed copy as its row keeps it: committed to under a fresh salt, sealed to the holder, or under the person's data key for paper.
fn finish(
    app: &App,
    loaded: &Loaded,
    id: CopyId,
    plan: &Plan,
    unsigned: Unsigned,
    signature: &[u8],
) -> Result<Finished, Error> {
    let digest = unsigned.digest(app.provider());
    let text = unsigned.finish(signature);
    let mut entropy = app.entropy();
    let salt = Salt::generate(&mut *entropy);
    let commitment = Commitment::derive(app.provider(), &salt, &digest);
    let payload = match &plan.wallet {
        Some(_) => None,
        None => Some(payload(app, loaded, id, plan, &text, &salt)?),
    };
    let salt_ciphertext = loaded
        .data_key
        .seal(&place("copies", id.as_bytes(), "salt"), salt.as_bytes(), &mut *entropy);
    let row = rows::Signed {
        id,
        key: Some(plan.key),
        digest,
        commitment,
        salt_nonce: Vec::new(),
        salt_ciphertext,
        content: payload.as_ref().map(|payload| app.blobs.id(payload).to_string()),
        payload,
        issued_at: plan.issued_at,
    };
    Ok(Finished { row, text })
}

/// What is kept of a copy that its holder fetches: sealed to the holder, or under the person's data key for paper.
fn payload(app: &App, loaded: &Loaded, id: CopyId, plan: &Plan, text: &str, salt: &Salt) -> Result<Vec<u8>, Error> {
    let mut entropy = app.entropy();
    let envelope = Envelope {
        salt: Some(salt.clone()),
        ..Envelope::new(text)
    };
    let plain = serde_json::to_string(&envelope).map_err(|_| Error::Internal("an envelope does not serialise"))?;
    Ok(match &plan.sealing_key {
        Some(key) => {
            let key = SealingPublicKey(from_hex_exact(key).map_err(|_| Error::Internal("a kept sealing key"))?);
            if plan.eip1098 {
                let sealed = eip1098::seal_safely(&key, &plain, &mut *entropy)?;
                serde_json::to_vec(&sealed).map_err(|_| Error::Internal("an envelope does not serialise"))?
            } else {
                envelope::seal(&key, SEAL_INFO, &[], plain.as_bytes(), Padding::Buckets, &mut *entropy)?
            }
        }
        None => loaded.data_key.seal(
            &place("copies", id.as_bytes(), "payload"),
            plain.as_bytes(),
            &mut *entropy,
        ),
    })
}

async fn find(app: &App, scope: Scope, id: CopyId) -> Result<rows::Copy, Error> {
    let found = app.store.get(move |tx| rows::find(tx, &scope, id)).await?;
    found.ok_or(Error::NotFound("copy"))
}

fn signed_already() -> Error {
    Error::conflict("signed-already", "this copy is signed already", "read it")
}

/// Takes the signature that an issuer made with its own key.
pub async fn commit_signature(
    app: &App,
    caller: &Principal,
    id: CopyId,
    request: CopySignature,
) -> Result<CertificateView, Error> {
    let scope = caller.scope();
    let copy = find(app, scope, id).await?;
    if copy.state != State::Intent {
        return Err(signed_already());
    }
    let loaded = load(app, scope, copy.certificate).await?;
    let category = CategoryId::new(loaded.certificate.category.as_str()).map_err(|_| Error::Internal("a category"))?;
    crate::app::issue::Issuer::of(app, caller, Some(&category))?;
    let plan = plan_of(&loaded, &copy)?;
    let key_id = plan.key;
    let key = app.store.get(move |tx| key_rows::find(tx, &scope, key_id)).await?;
    let key = key.ok_or(Error::Internal("a copy's key is not there"))?;
    if let Some(refusal) = keys::refusal(app, &loaded.issuer, &key) {
        if key.state == key_rows::State::Retired {
            app.store.write(move |tx| rows::abandon(tx, &scope, id)).await?;
        }
        return Err(refusal());
    }
    let (unsigned, _) = prepare(app, &loaded, &copy, &plan).await?;
    let refused = || {
        Error::invalid(
            "signature",
            format!(
                "/signature: not a signature of your {} key over the message",
                plan.algorithm.name()
            ),
            "sign the message of `to_sign` (not its digest) and send r ‖ s as base64url",
        )
    };
    let signature = from_base64url(&request.signature).map_err(|_| refused())?;
    keys::verify(app, &key, plan.algorithm, unsigned.message(), &signature).map_err(|_| refused())?;
    let Finished { row: signed, text } = finish(app, &loaded, id, &plan, unsigned, &signature)?;
    let for_wallet = plan
        .wallet
        .is_some()
        .then(|| own_keys::Signed::new(app, copy.participant, id, &loaded.data_key, &text));
    let (chain, now) = (app.facts.chain, app.now());
    let entry = app.audit_entry(Some(caller.participant), "sign-copy", id.as_bytes());
    app.store
        .write(move |tx| {
            // Signed, or given up, by another request meanwhile: nothing was done here, and nothing is said to have been.
            if !rows::complete(tx, &scope, &signed, chain, now)? {
                return Err(signed_already());
            }
            if let Some(signed) = &for_wallet {
                signed.keep(tx)?;
            }
            audit::append(tx, &entry)?;
            Ok(())
        })
        .await?;
    app.wake.outbox.notify_one();
    app.wake.events.notify_one();
    app.wake.deliveries.notify_one();
    view(app, &scope, copy.certificate).await
}
