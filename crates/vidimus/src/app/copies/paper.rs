//! Paper, and the evidence that belongs beside it: salts and receipts for whoever holds a copy.

use super::{data_key, erased};
use crate::app::{App, error::Error, keys::place, principal::Principal};
use serde::Deserialize;
use utoipa::ToSchema;
use vidimus_core::{
    Commitment, Digest, Salt,
    id::CopyId,
    receipt::{Anchor, Receipt},
};
use vidimus_credential::check::{Envelope, Evidence};
use vidimus_store::{
    Scope, Tx, Wrapped, certificates,
    copies::{self as rows, State},
    outbox, persons,
};

/// Which of a paper's two codes is drawn.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// The certificate, `HC1:…`.
    #[default]
    Certificate,
    /// Its evidence, `VE1:…`: with it the paper checks without a network.
    Evidence,
}

/// What stands in a code of a paper copy. Only copies that are bound to no holder can be read back by their issuer.
pub async fn printed(app: &App, caller: &Principal, id: CopyId, code: Code) -> Result<String, Error> {
    let (copy, text) = printable(app, caller, id).await?;
    if code == Code::Certificate {
        return Ok(text);
    }
    let digest = copy.digest.ok_or(Error::Internal("a signed copy without its digest"))?;
    Ok(evidence_of(app, digest).await?.to_text())
}

/// What belongs to a copy and is not in it, for whoever has the copy: only its signed bytes give the digest.
pub async fn evidence_of(app: &App, digest: Digest) -> Result<Evidence, Error> {
    let kept = app.store.get(move |tx| Kept::find(tx, &digest)).await?;
    let opened = kept.map(|kept| kept.open(app)).transpose()?.flatten();
    let (salt, receipt) = opened.ok_or(Error::NotFound("copy"))?;
    let receipt = receipt.ok_or_else(|| {
        Error::conflict(
            "not-anchored",
            "this copy is not anchored yet, so there is no evidence of it",
            "ask again in a minute",
        )
    })?;
    Ok(Evidence { salt, receipt })
}

async fn printable(app: &App, caller: &Principal, id: CopyId) -> Result<(rows::Copy, String), Error> {
    let scope = caller.scope();
    let copy = super::find(app, scope, id).await?;
    if copy.holder.is_some() {
        return Err(Error::conflict(
            "sealed",
            "this copy is sealed to its holder's keys",
            "make a copy for paper: `POST /v1/results/{id}/copies` with `formats: [\"hcert\"]` and no card",
        ));
    }
    if copy.state == State::Intent {
        return Err(Error::conflict(
            "unsigned",
            "this copy is not signed yet",
            "sign it first",
        ));
    }
    let found = app
        .store
        .get(move |tx| certificates::find(tx, &scope, copy.certificate))
        .await?;
    let certificate = found.ok_or(Error::NotFound("copy"))?;
    let key = data_key(app, &certificate.person).await?;
    let payload = copy.payload.as_deref().ok_or_else(erased)?;
    let plain = key.open(&place("copies", id.as_bytes(), "payload"), payload)?;
    let envelope: Envelope =
        serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept payload does not read"))?;
    Ok((copy, envelope.copy))
}

/// A receipt, for whoever knows the commitment; it says nothing about what was committed to.
pub async fn receipt(app: &App, commitment: Commitment) -> Result<Receipt, Error> {
    let found = app.store.get(move |tx| outbox::anchored(tx, &commitment)).await?;
    Ok(to_receipt(app, found.ok_or(Error::NotFound("receipt"))?))
}

/// An anchored commitment as the receipt that travels with its copy.
pub fn to_receipt(app: &App, anchored: outbox::Anchored) -> Receipt {
    Receipt {
        version: 1,
        proof: anchored.proof,
        anchor: Anchor {
            chain_id: anchored.chain,
            contract: app.contracts.anchors,
            root: anchored.root,
            transaction: anchored.transaction,
            block_number: anchored.block_number,
            block_hash: anchored.block_hash,
            time: anchored.block_time,
        },
    }
}

/// A copy's rows, with what is in no copy: its salt and its receipt.
#[derive(Debug)]
pub struct Kept {
    copy: rows::Copy,
    person: Digest,
    data_key: Option<Wrapped>,
    anchored: Option<outbox::Anchored>,
}

impl Kept {
    /// By the digest of the copy's signed bytes.
    pub fn find(tx: &mut Tx<'_>, digest: &Digest) -> Result<Option<Self>, vidimus_store::Error> {
        let Some(copy) = rows::find_by_digest(tx, digest)? else {
            return Ok(None);
        };
        // Who has the signed bytes may know what belongs to them, whoever issued them.
        let Some(certificate) = certificates::find(tx, &Scope::system(), copy.certificate)? else {
            return Ok(None);
        };
        let person = persons::find(tx, &certificate.person)?;
        let anchored = match &copy.commitment {
            Some(commitment) => outbox::anchored(tx, commitment)?,
            None => None,
        };
        Ok(Some(Self {
            copy,
            person: certificate.person,
            data_key: person.and_then(|person| person.data_key),
            anchored,
        }))
    }

    /// The root of the batch that it is anchored with.
    pub fn root(&self) -> Option<Digest> {
        self.anchored.as_ref().map(|anchored| anchored.root)
    }

    /// Salt and receipt; none where the person's data were erased.
    pub fn open(self, app: &App) -> Result<Option<(Salt, Option<Receipt>)>, Error> {
        let (Some(wrapped), Some(sealed)) = (self.data_key, self.copy.salt_ciphertext) else {
            return Ok(None);
        };
        let salt = app
            .keys
            .person_key(&self.person.0, &wrapped)?
            .open(&place("copies", self.copy.id.as_bytes(), "salt"), &sealed)?;
        let salt = salt
            .expose()
            .as_slice()
            .try_into()
            .map_err(|_| Error::Internal("a kept salt has another length"))?;
        Ok(Some((
            Salt::from_bytes(salt),
            self.anchored.map(|anchored| to_receipt(app, anchored)),
        )))
    }
}
