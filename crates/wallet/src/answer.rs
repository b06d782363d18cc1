//! Taking certificates in by OpenID4VCI, and answering requests by OpenID4VP.

use crate::{
    PrivateKey, Wallet, WalletError,
    batch::{Batch, Form, MAX_BATCHES, Origin, Read},
    consent::{Asked, Consent, Pick},
    seed,
    shared::{Item, MAX_ANSWERED, Outcome, Shared},
};
use vidimus_core::{Algorithm, Digest, Encryption, Entropy, Provider, PublicKey, Signer, Timestamp, encoding};
use vidimus_credential::{
    countersign, presentation,
    sd_jwt::{SdJwt, key_binding},
};
use vidimus_openid4vc::vp::{ErrorCode, HttpRequest, Incoming, Presentation, TransactionData, Verified, VpToken};

/// Makes a signer of a kept P-256 key.
pub type Keys<'a> = &'a dyn Fn(&PrivateKey) -> Option<Box<dyn Signer>>;

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

    /// Takes in the copies of one certificate. Each must be bound to another one of the keys that were proved for them. Its number, which it keeps.
    pub fn keep(
        &mut self,
        origin: &Origin,
        copies: &[String],
        keys: &[Proved],
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<u32, WalletError> {
        if self.batches.len() >= MAX_BATCHES {
            return Err(WalletError::Full);
        }
        let mut left: Vec<&Proved> = keys.iter().collect();
        let mut read = Vec::with_capacity(copies.len());
        for text in copies {
            let copy = Read::copy(text, provider)?;
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
        let batch = Batch::new(id, origin, read, now)?;
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
            let signer = keys(copy.key()).ok_or(WalletError::Keys)?;
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
        // Consent to one request is none to another.
        if consent.request != request {
            return Err(WalletError::OtherRequest);
        }
        if self.answered.contains(&request) {
            return Err(WalletError::Answered);
        }
        if consent.shows_more() && !consent.whole {
            return Err(WalletError::Whole);
        }
        let mut token = VpToken::new();
        let mut authorised = vec![false; incoming.request.transaction_data.len()];
        for pick in &consent.picks {
            let text = self.presented(incoming, pick, &mut authorised, keys, now, crypto)?;
            token = token.with(pick.id.clone(), vec![Presentation::Text(text)]);
        }
        if authorised.contains(&false) {
            return Err(WalletError::Unauthorised);
        }
        let http = incoming.present(&token, now, crypto, entropy)?;
        for pick in &consent.picks {
            let seen_by = consent.seen_by;
            self.batch_mut(pick.batch)?.mark(pick.copy, seen_by);
        }
        let items = consent.picks.iter().map(|pick| Item {
            title: pick.title.clone(),
            digest: pick.digest,
            attributes: pick.names.clone(),
        });
        self.remember(
            &asked,
            consent.verifier.name.clone(),
            Outcome::Presented,
            items.collect(),
            request,
            now,
        );
        Ok(http)
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

    fn presented(
        &self,
        incoming: &Incoming,
        pick: &Pick,
        authorised: &mut [bool],
        keys: Keys<'_>,
        now: Timestamp,
        provider: &dyn Provider,
    ) -> Result<String, WalletError> {
        let request = &incoming.request;
        let audience = request.client_id.to_string();
        let copies = self.batch(pick.batch)?.copies();
        let copy = copies.iter().find(|copy| copy.digest() == pick.digest);
        let copy = copy.ok_or(WalletError::OtherRequest)?;
        let signer = keys(&pick.key.0).ok_or(WalletError::Keys)?;
        let text = &copy.envelope().copy;
        match pick.form {
            Form::SdJwtVc => {
                let mut data: Vec<&TransactionData> = Vec::new();
                for (place, one) in request.transaction_data.iter().enumerate() {
                    if !authorised[place] && one.credential_ids().contains(&pick.id) {
                        authorised[place] = true;
                        data.push(one);
                    }
                }
                let read = SdJwt::parse(text).map_err(|_| WalletError::Unreadable)?;
                let processed = read.process(provider).map_err(|_| WalletError::Unreadable)?;
                let chosen = processed.choose(&pick.paths).map_err(|_| WalletError::Unreadable)?;
                let draft = key_binding::Draft {
                    audience: &audience,
                    nonce: &request.nonce,
                    issued_at: now,
                    more: TransactionData::claims(&data, provider),
                };
                let unsigned = draft.prepare(read.present(&chosen), Algorithm::Es256, provider);
                let signature = signer.sign(Algorithm::Es256, unsigned.message())?;
                Ok(unsigned.finish(&signature))
            }
            Form::JwtVcJson => {
                let holder = did_jwk(signer.public_key()).ok_or(WalletError::Keys)?;
                let envelopes = [copy.envelope().clone()];
                let draft = presentation::Draft {
                    holder: &holder,
                    audience: &audience,
                    nonce: &request.nonce,
                    purpose: None,
                    issued_at: now,
                    expires_at: now.plus(crate::PRESENTATION_SECONDS),
                    envelopes: &envelopes,
                    card: None,
                };
                let unsigned = draft.prepare(Algorithm::Es256);
                let signature = signer.sign(Algorithm::Es256, unsigned.message())?;
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
