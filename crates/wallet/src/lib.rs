//! The holder's engine: what is held, where it stands, what was shown to whom, and the texts that the holder signs.
//!
//! Pure: `now` is an argument, keys sign through [`Signer`]s that the caller holds, and where the content is kept is the caller's. Making an
//! identity touches no server and no chain: a did:ethr exists as soon as its key does (ERC-1056).

#![warn(missing_docs)]

mod answer;
mod attribute;
pub mod backup;
pub mod batch;
pub mod consent;
mod held;
pub mod issuer;
pub mod left;
mod record;
pub mod registration;
pub mod request;
pub mod seed;
pub mod session;
pub mod shared;

pub use answer::{Keys, Proved, did_jwk};
pub use held::Held;
pub use record::Shown;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vidimus_core::{
    Algorithm, Digest, Provider, PublicKey, Receipt, Secret, SignError, Signer, Timestamp,
    encoding::{from_hex_exact, hex},
};
use vidimus_credential::{
    Format,
    card::HolderCard,
    check::{Envelope, Expected},
    countersign,
    format::{self, FormatError},
    presentation::Draft,
    x509::Certificate,
};

/// How long a presentation holds: a minute.
pub const PRESENTATION_SECONDS: i64 = 60;

/// Why the wallet does not do what was asked. Never repeats a certificate's content.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// What was received does not read as a certificate.
    #[error("this is not a certificate that can be read: {0}; ask the issuer for it again")]
    Format(#[source] FormatError),
    /// It was issued to other keys, or to nobody's.
    #[error("this certificate was issued to other keys than this wallet's; give the issuer the card of this wallet")]
    OtherHolder,
    /// It is held already.
    #[error("this certificate is in the wallet already, as number {0}")]
    Held(usize),
    /// There is no certificate of that number.
    #[error("there is no certificate number {0}; `list` shows what there is")]
    NoSuch(usize),
    /// The receipt does not lead from this copy to the root it names.
    #[error("this receipt belongs to another certificate, or was altered")]
    Receipt,
    /// Without its salt a copy cannot be led to a commitment.
    #[error("this certificate came without its salt; ask the issuer for it again")]
    NoSalt,
    /// An HCERT names no holder, so there is nobody whose signature would mean anything.
    #[error("a health certificate for a QR code names no holder and carries no counter-signature")]
    NoHolder,
    /// What was to be answered is no verifier's request.
    #[error("this is no request: {0}; ask the verifier for another")]
    Request(&'static str),
    /// A key did not sign.
    #[error("a key of this wallet does not sign")]
    Sign(#[from] SignError),
    /// What was received is no copy in a format that is known here.
    #[error("this is not a certificate that can be read; ask the issuer for it again")]
    Unreadable,
    /// Neither a certificate in the copy nor its `iss` says where the issuer's key is, or the key is not there.
    #[error(
        "nobody says which key this certificate was signed with; ask the issuer for one with its certificate (`x5c`)"
    )]
    UnknownIssuer,
    /// The signature does not verify with the certificate that the copy brings, nor with a key of its issuer.
    #[error("the issuer's signature on this certificate does not verify; ask the issuer for it again")]
    IssuerSignature,
    /// None of the keys that were found for its issuer is the one that it names, or is of its kind: it may be published later.
    #[error("the key that this certificate was signed with is not among those that its issuer publishes now")]
    UnknownKey,
    /// The issuer gave none.
    #[error("the issuer gave no copies")]
    NoCopies,
    /// The copies are not of one certificate.
    #[error("the issuer gave copies of different certificates as one")]
    Mixed,
    /// A copy is held already.
    #[error("the issuer gave a copy that is in the wallet already")]
    Known,
    /// There are as many as a wallet keeps.
    #[error("the wallet is full: remove what is not needed any more")]
    Full,
    /// There is no certificate of that number.
    #[error("there is no certificate c{0}; `list` shows what there is")]
    NoSuchBatch(u32),
    /// Nothing of that number is still to come.
    #[error("nothing is still to come under w{0}; `list` shows what there is")]
    NoSuchPending(u32),
    /// The consent is to another request, or what it is about is not held any more.
    #[error("this was not agreed to: look at the request again")]
    OtherRequest,
    /// The certificate has no such attribute, or none was named.
    #[error("name attributes that this certificate has")]
    NoSuchAttribute,
    /// The request was answered.
    #[error("this request was answered already")]
    Answered,
    /// A certificate that can only be shown whole says more than was asked for.
    #[error("this certificate can only be shown whole, with more than was asked for; agree to that, or decline")]
    Whole,
    /// What is to be authorised cannot be, by what is shown.
    #[error("what is shown does not authorise all that this request is about")]
    Unauthorised,
    /// The response was not made.
    #[error("the answer was not made")]
    Present(#[from] vidimus_openid4vc::vp::PresentError),
    /// The account key is not the one of the wallet's DID.
    #[error("the wallet's keys and its DID do not fit together: the file is damaged")]
    Keys,
}

/// A private key of 32 bytes, as hexadecimal in the encrypted content.
#[derive(Debug, Clone)]
pub struct PrivateKey(Secret<[u8; 32]>);

impl PrivateKey {
    /// Takes a key into keeping.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }
    /// The bytes.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&zeroize::Zeroizing::new(hex(self.expose())))
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = zeroize::Zeroizing::new(String::deserialize(d)?);
        from_hex_exact(&text).map(Self::new).map_err(serde::de::Error::custom)
    }
}

/// Signing and sealing keys that newer ones took the place of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierKeys {
    signing: PrivateKey,
    sealing: PrivateKey,
}

impl EarlierKeys {
    /// The P-256 signing key.
    pub fn signing_key(&self) -> &PrivateKey {
        &self.signing
    }
    /// The X25519 sealing key.
    pub fn sealing_key(&self) -> &PrivateKey {
        &self.sealing
    }
}

/// The content of a wallet's file. Whoever reads it is the holder: it is only ever written encrypted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    version: u8,
    pub(crate) did: String,
    pub(crate) account: PrivateKey,
    signing: PrivateKey,
    sealing: PrivateKey,
    /// Account keys that the DID was handed over to since, oldest first. Participants' own keys have them; a holder's wallet does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    later: Vec<PrivateKey>,
    /// Signing and sealing keys from before, oldest first: the registry may have them still, and what was sealed for them opens with nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<EarlierKeys>,
    pub(crate) held: Vec<Held>,
    shown: Vec<Shown>,
    /// What keys with single parties come from; made when the first is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<PrivateKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) batches: Vec<batch::Batch>,
    /// The highest number that a batch ever had.
    #[serde(default)]
    pub(crate) last_batch: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) renewals: Vec<session::Renewal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pending: Vec<session::Pending>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) trusted: Vec<Trusted>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) registries: Vec<registration::Registry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) shared: Vec<shared::Shared>,
    /// Digests of requests that were answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) answered: Vec<Digest>,
    /// Whom the holder trusts beside deployments, this time.
    #[serde(skip)]
    pub(crate) others: Others,
}

/// Whom the holder trusts without a deployment of theirs. Said anew each time, and kept nowhere.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Certificates of issuers, or of who certifies them.
    pub issuers: Vec<Certificate>,
    /// Keys of issuers, each with the identifier of whose it is.
    pub issuer_keys: Vec<(String, PublicKey)>,
    /// Certificates of verifiers, or of who certifies them.
    pub verifiers: Vec<Certificate>,
}

/// A deployment that the wallet trusts: whoever its root certified is who they say, and its registry says what verifiers may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// Its address.
    pub url: String,
    /// Its root certificate, PEM.
    pub root: String,
}

impl Wallet {
    /// A wallet with three keys that the caller made: secp256k1 (account), P-256 (signing), X25519 (sealing). `account` is the signer of the
    /// first; its address becomes the DID.
    pub fn new(
        chain_id: u64,
        account: &dyn Signer,
        keys: [PrivateKey; 3],
        provider: &dyn Provider,
    ) -> Result<Self, WalletError> {
        let address = account.public_key().address(provider).ok_or(WalletError::Keys)?;
        let [account, signing, sealing] = keys;
        let did = format!("did:ethr:{chain_id:#x}:{address}");
        Ok(Self {
            version: 1,
            did,
            account,
            signing,
            sealing,
            later: Vec::new(),
            earlier: Vec::new(),
            held: Vec::new(),
            shown: Vec::new(),
            seed: None,
            batches: Vec::new(),
            last_batch: 0,
            renewals: Vec::new(),
            pending: Vec::new(),
            trusted: Vec::new(),
            registries: Vec::new(),
            shared: Vec::new(),
            answered: Vec::new(),
            others: Others::default(),
        })
    }

    /// The holder's DID.
    pub fn did(&self) -> &str {
        &self.did
    }
    /// The secp256k1 key of the account.
    pub fn account_key(&self) -> &PrivateKey {
        &self.account
    }
    /// The P-256 signing key, the newest.
    pub fn signing_key(&self) -> &PrivateKey {
        &self.signing
    }
    /// The X25519 sealing key, the newest.
    pub fn sealing_key(&self) -> &PrivateKey {
        &self.sealing
    }

    /// Account keys that came after the first, oldest first.
    pub fn later_account_keys(&self) -> &[PrivateKey] {
        &self.later
    }
    /// Keeps another account key, for the DID to be handed over to. Those before stay: what they have to sign may be under way.
    pub fn add_account_key(&mut self, key: PrivateKey) {
        self.later.push(key);
    }

    /// Signing and sealing keys that newer ones took the place of, oldest first.
    pub fn earlier_keys(&self) -> &[EarlierKeys] {
        &self.earlier
    }
    /// Puts new signing (P-256) and sealing (X25519) keys in the place of those that cards name. Those before stay: they sign until the registry
    /// has the new ones, and open what was sealed for them.
    pub fn renew_keys(&mut self, signing: PrivateKey, sealing: PrivateKey) {
        let signing = std::mem::replace(&mut self.signing, signing);
        let sealing = std::mem::replace(&mut self.sealing, sealing);
        self.earlier.push(EarlierKeys { signing, sealing });
    }

    /// A card of an account key: [`Self::card`] by the account that signs, which is another than the DID's where the DID was handed over.
    pub fn account_card(
        &self,
        account: &dyn Signer,
        signing: &dyn Signer,
        sealing_public: [u8; 32],
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<String, WalletError> {
        let address = account.public_key().address(provider).ok_or(WalletError::Keys)?;
        let (network, _) = self.did.rsplit_once(':').ok_or(WalletError::Keys)?;
        card(format!("{network}:{address}"), account, signing, sealing_public, now)
    }

    /// The holder card: what an issuer is given. Signed by both signing keys; says nothing about who the holder is.
    pub fn card(
        &self,
        account: &dyn Signer,
        signing: &dyn Signer,
        sealing_public: [u8; 32],
        now: Timestamp,
    ) -> Result<String, WalletError> {
        card(self.did.clone(), account, signing, sealing_public, now)
    }

    /// Takes in what an issuer made for this wallet's keys, and gives its number. What names another holder, or none, is refused: a
    /// certificate that cannot be shown as one's own is no use in a wallet.
    ///
    /// Whether it is genuine is a matter of a check, which needs the registry; the wallet only makes sure that it reads and whose it is.
    pub fn receive(
        &mut self,
        envelope: Envelope,
        source: &str,
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<usize, WalletError> {
        let parsed = format::parse(&envelope.copy).map_err(WalletError::Format)?;
        // An HCERT names no holder; it is bound by having been sealed to this wallet.
        let other = parsed
            .statement()
            .is_some_and(|statement| statement.holder.as_deref() != Some(self.did.as_str()));
        if other {
            return Err(WalletError::OtherHolder);
        }
        let held = Held::new(envelope, &parsed, source, provider, now)?;
        if let Some(place) = self.held.iter().position(|known| known.digest() == held.digest()) {
            return Err(WalletError::Held(place + 1));
        }
        self.held.push(held);
        Ok(self.held.len())
    }

    /// What is held, in the order it was received. Numbers count from 1.
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// One certificate by its number.
    pub fn get(&self, number: usize) -> Result<&Held, WalletError> {
        number
            .checked_sub(1)
            .and_then(|place| self.held.get(place))
            .ok_or(WalletError::NoSuch(number))
    }

    fn get_mut(&mut self, number: usize) -> Result<&mut Held, WalletError> {
        number
            .checked_sub(1)
            .and_then(|place| self.held.get_mut(place))
            .ok_or(WalletError::NoSuch(number))
    }

    /// Removes a certificate; the record of what was shown stays.
    pub fn remove(&mut self, number: usize) -> Result<Held, WalletError> {
        self.get(number)?;
        Ok(self.held.remove(number - 1))
    }

    /// Keeps a receipt, if it leads from this copy's commitment to the root it names.
    pub fn add_receipt(&mut self, number: usize, receipt: Receipt, provider: &dyn Provider) -> Result<(), WalletError> {
        self.get_mut(number)?.add_receipt(receipt, provider)
    }

    /// Signs that the holder has the certificate; once: the first signature stays.
    pub fn counter_sign(&mut self, number: usize, account: &dyn Signer, now: Timestamp) -> Result<String, WalletError> {
        let did = self.did.clone();
        let held = self.get_mut(number)?;
        if matches!(held.format(), Format::Hcert | Format::SdJwtVc) {
            return Err(WalletError::NoHolder);
        }
        if let Some(signed) = &held.envelope().counter_signature {
            return Ok(signed.clone());
        }
        let unsigned = countersign::prepare(&did, &held.digest(), now, Algorithm::Es256k, None);
        let signature = account.sign(Algorithm::Es256k, unsigned.message())?;
        let text = unsigned.finish(&signature);
        held.set_counter_signature(text.clone());
        Ok(text)
    }

    /// Shows certificates in answer to a request: a presentation that holds for a minute, for this verifier and this nonce alone. Records what
    /// was shown to whom, without values.
    pub fn present(
        &mut self,
        numbers: &[usize],
        request: &Expected,
        account: &dyn Signer,
        now: Timestamp,
    ) -> Result<String, WalletError> {
        let mut envelopes = Vec::with_capacity(numbers.len());
        let mut digests: Vec<Digest> = Vec::with_capacity(numbers.len());
        for number in numbers {
            let held = self.get(*number)?;
            envelopes.push(held.envelope().clone());
            digests.push(held.digest());
        }
        let draft = Draft {
            holder: &self.did,
            audience: &request.audience,
            nonce: &request.nonce,
            purpose: request.purpose.as_deref(),
            issued_at: now,
            expires_at: now.plus(PRESENTATION_SECONDS),
            envelopes: &envelopes,
            card: None,
        };
        let unsigned = draft.prepare(Algorithm::Es256k);
        let signature = account.sign(Algorithm::Es256k, unsigned.message())?;
        let text = unsigned.finish(&signature);
        let categories = numbers
            .iter()
            .filter_map(|number| self.get(*number).ok())
            .map(|held| held.category().to_owned());
        let shown = Shown {
            time: now,
            audience: request.audience.clone(),
            purpose: request.purpose.clone(),
            categories: categories.collect(),
            digests,
        };
        self.shown.push(shown);
        Ok(text)
    }

    /// The deployments that the wallet trusts.
    pub fn trusted(&self) -> &[Trusted] {
        &self.trusted
    }
    /// Trusts a deployment; its root takes the place of one that was trusted before at this address.
    pub fn trust(&mut self, trusted: Trusted) {
        self.trusted.retain(|known| known.url != trusted.url);
        self.trusted.push(trusted);
    }
    /// Whom the holder trusts beside deployments.
    pub fn others(&self) -> &Others {
        &self.others
    }
    /// Trusts these too, as long as this value is there.
    pub fn trust_others(&mut self, others: Others) {
        self.others = others;
    }
    /// What is known of registries, for when they do not answer.
    pub fn registries(&self) -> &[registration::Registry] {
        &self.registries
    }
    /// Keeps what a registry says now.
    pub fn learn(&mut self, registry: registration::Registry) {
        self.registries.retain(|known| known.source != registry.source);
        self.registries.push(registry);
    }

    /// What was shown to whom, oldest first.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }
}

fn card(
    did: String,
    account: &dyn Signer,
    signing: &dyn Signer,
    sealing_public: [u8; 32],
    now: Timestamp,
) -> Result<String, WalletError> {
    let PublicKey::P256(_) = signing.public_key() else {
        return Err(WalletError::Keys);
    };
    let card = HolderCard {
        did,
        signing_key: signing.public_key().clone(),
        sealing_key: sealing_public,
        issued_at: now,
    };
    let possession = signing.sign(Algorithm::Es256, &card.possession_message())?;
    let unsigned = card.prepare(&possession);
    let signature = account.sign(Algorithm::Es256k, unsigned.message())?;
    Ok(unsigned.finish(&signature))
}
