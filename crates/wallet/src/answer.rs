//! Taking certificates in by OpenID4VCI, and answering requests by OpenID4VP.

use crate::{
    PrivateKey, Wallet, WalletError,
    batch::{Batch, Form, MAX_BATCHES, Origin, Read, received},
    consent::{Asked, Consent, Pick},
    issuer::IssuerKeys,
    seed,
    shared::{Item, MAX_ANSWERED, Outcome, Shared},
};
use vidimus_core::{Algorithm, Digest, Encryption, Entropy, Provider, PublicKey, Signer, Timestamp, encoding};
use vidimus_credential::{
    countersign, presentation,
    sd_jwt::{SdJwt, key_binding},
};
use vidimus_openid4vc::vp::{ErrorCode, HttpRequest, Incoming, Presentation, TransactionData, Verified, VpToken};

/// Makes a signer of a kept key: P-256 for ES256, and secp256k1, the account's, for ES256K.
pub type Keys<'a> = &'a dyn Fn(&PrivateKey, Algorithm) -> Option<Box<dyn Signer>>;

/// What the presentations of one answer are bound to.
pub(crate) struct Binding<'a> {
    pub(crate) audience: &'a str,
    pub(crate) nonce: &'a str,
    /// What for, where the presentation can say so.
    pub(crate) purpose: Option<&'a str>,
    pub(crate) data: &'a [TransactionData],
    /// Which of the data a presentation authorised already: each is, once.
    pub(crate) authorised: Vec<bool>,
    pub(crate) now: Timestamp,
    /// Until when it holds, where the presentation can say so.
    pub(crate) expires_at: Timestamp,
}

/// A key that was proved to an issuer: its private and its public half.
pub type Proved = (PrivateKey, PublicKey);

impl Wallet {
    /// The key that the wallet has for this purpose with this party. The first time it makes the secret that all of them come from: the wallet is
    /// then to be saved before the key is used.
    pub fn key_with(
        &mut self,
        purpose: seed::Purpose,
        party: &str,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> PrivateKey {
        let seed = self.seed.get_or_insert_with(|| seed::generate(entropy));
        seed::derive(seed, purpose, party, crypto)
    }

    /// Takes in the copies of one certificate. Each must be bound to another one of the keys that were proved for them, and its signature must verify: with
    /// the certificate that it brings, or with one of the keys that were `found` for its issuer ([`Source::of`](crate::issuer::Source::of) says
    /// where to look). Its number, which it keeps.
    pub fn keep(
        &mut self,
        origin: &Origin,
        copies: &[String],
        keys: &[Proved],
        found: &[IssuerKeys],
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<u32, WalletError> {
        if self.batches.len() >= MAX_BATCHES {
            return Err(WalletError::Full);
        }
        let mut left: Vec<&Proved> = keys.iter().collect();
        let mut read = Vec::with_capacity(copies.len());
        let mut signed_by = None;
        for text in copies {
            let (copy, by) = Read::verified(text, found, provider)?;
            if signed_by.get_or_insert_with(|| by.clone()) != &by {
                return Err(WalletError::Mixed);
            }
            let holder = copy.holder.as_ref();
            let at = left.iter().position(|(_, public)| Some(public) == holder);
            let (private, _) = left.swap_remove(at.ok_or(WalletError::OtherHolder)?);
            let known = |batch: &Batch| batch.copies().iter().any(|one| one.digest() == copy.digest);
            if self.batches.iter().any(known) {
                return Err(WalletError::Known);
            }
            read.push((text.clone(), copy, private.clone()));
        }
        let id = self
            .batches
            .iter()
            .map(Batch::id)
            .max()
            .unwrap_or(0)
            .max(self.last_batch)
            + 1;
        let batch = Batch::new(id, origin, signed_by.unwrap_or_default(), read, now)?;
        self.last_batch = id;
        self.batches.push(batch);
        Ok(id)
    }

    /// Certificates that came by OpenID4VCI, in the order they came.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// One of them by its number.
    pub fn batch(&self, id: u32) -> Result<&Batch, WalletError> {
        let found = self.batches.iter().find(|batch| batch.id() == id);
        found.ok_or(WalletError::NoSuchBatch(id))
    }

    /// The same, to be changed.
    pub fn batch_mut(&mut self, id: u32) -> Result<&mut Batch, WalletError> {
        let found = self.batches.iter_mut().find(|batch| batch.id() == id);
        found.ok_or(WalletError::NoSuchBatch(id))
    }

    /// Removes one; the record of what was shared stays.
    pub fn remove_batch(&mut self, id: u32) -> Result<Batch, WalletError> {
        let at = self.batches.iter().position(|batch| batch.id() == id);
        Ok(self.batches.remove(at.ok_or(WalletError::NoSuchBatch(id))?))
    }

    /// Signs that the holder has the certificate: each copy by its own key, once. How many there are now.
    pub fn counter_sign_batch(
        &mut self,
        id: u32,
        keys: Keys<'_>,
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<usize, WalletError> {
        let batch = self.batch_mut(id)?;
        for at in 0..batch.copies().len() {
            let copy = &batch.copies()[at];
            if copy.envelope().counter_signature.is_some() {
                continue;
            }
            let signer = keys(copy.key(), Algorithm::Es256).ok_or(WalletError::Keys)?;
            let public = signer.public_key();
            let unsigned = match batch.form() {
                Form::SdJwtVc => countersign::prepare_by_key(public, &copy.digest(), now, provider),
                Form::JwtVcJson => {
                    did_jwk(public).map(|did| countersign::prepare(&did, &copy.digest(), now, Algorithm::Es256, None))
                }
            };
            let unsigned = unsigned.ok_or(WalletError::Keys)?;
            let signature = signer.sign(Algorithm::Es256, unsigned.message())?;
            batch.set_counter_signature(at, unsigned.finish(&signature));
        }
        Ok(batch.copies().len())
    }

    /// Whether `consent` permits to answer this request: it was given to this one, which has no answer yet, and to all that is shown.
    pub(crate) fn permits(&self, consent: &Consent, request: &Digest) -> Result<(), WalletError> {
        if consent.request != *request {
            return Err(WalletError::OtherRequest);
        }
        if self.answered.contains(request) {
            return Err(WalletError::Answered);
        }
        if consent.shows_more() && !consent.whole {
            return Err(WalletError::Whole);
        }
        Ok(())
    }

    /// The answer that the holder agreed to: `consent` as it was shown. It is made once; what was shared is on record, and the copies count as used, before
    /// anything is sent: save the wallet first.
    pub fn answer(
        &mut self,
        incoming: &Verified<Incoming>,
        consent: &Consent,
        keys: Keys<'_>,
        now: Timestamp,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<HttpRequest, WalletError> {
        let asked = Asked::of(incoming, crypto);
        let request = asked.request(crypto);
        self.permits(consent, &request)?;
        let mut presentations: Vec<(String, Vec<Presentation>)> = Vec::new();
        let audience = incoming.request.client_id.to_string();
        let mut binding = Binding {
            audience: &audience,
            nonce: &incoming.request.nonce,
            purpose: None,
            data: &incoming.request.transaction_data,
            authorised: vec![false; incoming.request.transaction_data.len()],
            now,
            expires_at: now.plus(crate::PRESENTATION_SECONDS),
        };
        for pick in &consent.picks {
            let text = Presentation::Text(self.presented(&mut binding, pick, keys, crypto)?);
            match presentations.iter_mut().find(|(id, _)| *id == pick.id) {
                Some((_, several)) => several.push(text),
                None => presentations.push((pick.id.clone(), vec![text])),
            }
        }
        if binding.authorised.contains(&false) {
            return Err(WalletError::Unauthorised);
        }
        let token = presentations.into_iter();
        let token = token.fold(VpToken::new(), |token, (id, texts)| token.with(id, texts));
        let http = incoming.present(&token, now, crypto, entropy)?;
        self.was_shown(&asked, consent, request, now)?;
        Ok(http)
    }

    /// What was agreed to is on record, and the copies count as used.
    pub(crate) fn was_shown(
        &mut self,
        asked: &Asked<'_>,
        consent: &Consent,
        request: Digest,
        now: Timestamp,
    ) -> Result<(), WalletError> {
        for pick in &consent.picks {
            if received(pick.batch).is_none() {
                self.batch_mut(pick.batch)?.mark(pick.copy, consent.seen_by);
            }
        }
        let items = consent.picks.iter().map(|pick| Item {
            title: pick.title.clone(),
            digest: pick.digest,
            attributes: pick.names.clone(),
        });
        let name = consent.verifier.name.clone();
        self.remember(asked, name, Outcome::Presented, items.collect(), request, now);
        Ok(())
    }

    /// The answer of a holder who says no, of a wallet that holds nothing, and of one that refuses: they are not told apart. On record, and made once.
    pub fn decline(
        &mut self,
        incoming: &Verified<Incoming>,
        now: Timestamp,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<HttpRequest, WalletError> {
        let asked = Asked::of(incoming, crypto);
        let request = asked.request(crypto);
        if self.answered.contains(&request) {
            return Err(WalletError::Answered);
        }
        let http = incoming.decline(ErrorCode::AccessDenied, crypto, entropy)?;
        let registered = self.registered(&asked).map(|(entry, _)| entry.name.clone());
        let name = registered.or_else(|| asked.name.clone());
        self.remember(&asked, name, Outcome::Declined, Vec::new(), request, now);
        Ok(http)
    }

    /// What verifiers asked for and got, oldest first.
    pub fn shared(&self) -> &[Shared] {
        &self.shared
    }

    fn remember(
        &mut self,
        asked: &Asked<'_>,
        name: Option<String>,
        outcome: Outcome,
        items: Vec<Item>,
        request: Digest,
        now: Timestamp,
    ) {
        self.shared.push(Shared {
            time: now,
            outcome,
            verifier: asked.client_id.clone(),
            name,
            host: asked.host.clone(),
            purpose: asked.statement.map(|statement| statement.purpose.clone()),
            retention_seconds: asked.statement.map(|statement| statement.retention_seconds),
            items,
        });
        self.answered.push(request);
        if self.answered.len() > MAX_ANSWERED {
            self.answered.remove(0);
        }
    }

    pub(crate) fn presented(
        &self,
        binding: &mut Binding<'_>,
        pick: &Pick,
        keys: Keys<'_>,
        provider: &dyn Provider,
    ) -> Result<String, WalletError> {
        let now = binding.now;
        let (envelope, algorithm) = match received(pick.batch) {
            Some(number) => {
                let held = self.get(number)?;
                let same = held.digest() == pick.digest;
                (same.then(|| held.envelope()), Algorithm::Es256k)
            }
            None => {
                let mut copies = self.batch(pick.batch)?.copies().iter();
                let copy = copies.find(|copy| copy.digest() == pick.digest);
                (copy.map(|copy| copy.envelope()), Algorithm::Es256)
            }
        };
        let envelope = envelope.ok_or(WalletError::OtherRequest)?;
        let signer = keys(&pick.key.0, algorithm).ok_or(WalletError::Keys)?;
        let text = &envelope.copy;
        match pick.form {
            Form::SdJwtVc => {
                let mut data: Vec<&TransactionData> = Vec::new();
                for (place, one) in binding.data.iter().enumerate() {
                    if !binding.authorised[place] && one.credential_ids().contains(&pick.id) {
                        binding.authorised[place] = true;
                        data.push(one);
                    }
                }
                let read = SdJwt::parse(text).map_err(|_| WalletError::Unreadable)?;
                let processed = read.process(provider).map_err(|_| WalletError::Unreadable)?;
                let chosen = processed.choose(&pick.paths).map_err(|_| WalletError::Unreadable)?;
                let draft = key_binding::Draft {
                    audience: binding.audience,
                    nonce: binding.nonce,
                    issued_at: now,
                    more: TransactionData::claims(&data, provider),
                };
                let unsigned = draft.prepare(read.present(&chosen), Algorithm::Es256, provider);
                let signature = signer.sign(Algorithm::Es256, unsigned.message())?;
                Ok(unsigned.finish(&signature))
            }
            Form::JwtVcJson => {
                // A copy for this wallet alone is named by its key, one that was received by the holder's DID.
                let holder = match algorithm {
                    Algorithm::Es256k => Some(self.did.clone()),
                    _ => did_jwk(signer.public_key()),
                };
                let holder = holder.ok_or(WalletError::Keys)?;
                let envelopes = [envelope.clone()];
                let draft = presentation::Draft {
                    holder: &holder,
                    audience: binding.audience,
                    nonce: binding.nonce,
                    purpose: binding.purpose,
                    issued_at: now,
                    expires_at: binding.expires_at,
                    envelopes: &envelopes,
                    card: None,
                };
                let unsigned = draft.prepare(algorithm);
                let signature = signer.sign(algorithm, unsigned.message())?;
                Ok(unsigned.finish(&signature))
            }
        }
    }
}

/// A key as a DID (did:jwk): what a copy of `jwt_vc_json` names its holder by.
pub fn did_jwk(key: &PublicKey) -> Option<String> {
    let jwk = key.to_jwk()?.to_string();
    Some(format!("did:jwk:{}", encoding::base64url(jwk.as_bytes())))
}
