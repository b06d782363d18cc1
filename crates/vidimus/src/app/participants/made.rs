//! The keys of a participant, made here or named by its card, and their certificate.

use super::{account_of, bad_card, did, profile::Profile};
use crate::app::{App, chain::accounts::own_account, error::Error};
use vidimus_core::{
    Address, Digest, PublicKey, Signer, Timestamp,
    id::{KeyId, ParticipantId},
};
use vidimus_credential::card::HolderCard;
use vidimus_crypto::{
    KeyKind, SealingKey, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};
use vidimus_ledger::contracts::registry;
use vidimus_store::{
    keys as key_rows,
    participants::{self as rows, State},
};

/// How long a document signer's or an access certificate holds: two years.
const SIGNER_VALIDITY: i64 = 2 * 365 * 86_400;

/// What the keys beside the account's are for.
const SIGNING: &str = "signing";
const SEALING: &str = "sealing";

/// The deployment's certificate authority.
pub(super) async fn authority(app: &App) -> Result<Authority, Error> {
    let row = app.key(app.facts.authority_key).await?;
    let wrapped = row
        .secret
        .as_ref()
        .ok_or(Error::Internal("the certificate authority's key has no secret"))?;
    // Made anew for each use, so that the most powerful key is not kept in memory.
    let key = app.keys.unwrap_signing_key(row.id, KeyKind::P256, wrapped)?;
    Ok(Authority::load(key, &app.facts.authority_certificate)?)
}

/// The keys of a new participant, made here or named by its card.
pub(super) struct Made {
    pub(super) id: ParticipantId,
    pub(super) account: Address,
    pub(super) custody: rows::Custody,
    pub(super) signing: PublicKey,
    pub(super) sealing: [u8; 32],
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) keys: Vec<key_rows::Key>,
    /// Where it was made here.
    pub(super) account_key: Option<SigningKey>,
}

impl Made {
    /// `known_as` is the DID of a participant that has one already: it stays, whichever account acts.
    pub(super) fn new(
        app: &App,
        card: Option<&str>,
        profile: &Profile,
        role: rows::Role,
        authority: Option<&Authority>,
        known_as: Option<&str>,
    ) -> Result<Self, Error> {
        let now = app.now();
        let mut made = match card {
            Some(card) => Self::of_card(app, card, now)?,
            None => Self::generate(app)?,
        };
        if let Some(authority) = authority {
            let did = known_as.map_or_else(|| did(app, made.account), str::to_owned);
            let certificate = certify(app, authority, &made.signing, profile, &did, role, now)?;
            let mut keys = made.keys.iter_mut();
            let row = keys.find(|key| key.purpose == SIGNING).expect("made above");
            row.certificate = Some(certificate.clone());
            row.valid_until = Some(now.plus(SIGNER_VALIDITY));
            made.certificate = Some(certificate);
        }
        Ok(made)
    }

    /// The keys that a card names.
    fn of_card(app: &App, card: &str, now: Timestamp) -> Result<Self, Error> {
        let card = HolderCard::verify(card, app.provider(), now)
            .map_err(bad_card)?
            .into_inner();
        let account = account_of(app, &card.did)?;
        let id = ParticipantId::generate(&mut *app.entropy());
        let keys = vec![
            own_account(app, id, account, 1, key_rows::State::Active),
            first_key(app, id, SIGNING, key_rows::Kind::P256, card.signing_key.as_bytes()),
            first_key(app, id, SEALING, key_rows::Kind::X25519, &card.sealing_key),
        ];
        Ok(Self {
            id,
            account,
            custody: rows::Custody::Own,
            signing: card.signing_key,
            sealing: card.sealing_key,
            certificate: None,
            keys,
            account_key: None,
        })
    }

    /// Keys that are made and kept here.
    fn generate(app: &App) -> Result<Self, Error> {
        let mut entropy = app.entropy();
        let id = ParticipantId::generate(&mut *entropy);
        let (account_row, account, account_key) = generate_account(app, id, 1, key_rows::State::Active)?;
        let signing_key = SigningKey::generate(KeyKind::P256, &mut *entropy);
        let sealing_key = SealingKey::generate(&mut *entropy);
        let (signing, sealing) = (signing_key.public_key().clone(), sealing_key.public_key().0);
        let mut signing_row = first_key(app, id, SIGNING, key_rows::Kind::P256, signing.as_bytes());
        let mut sealing_row = first_key(app, id, SEALING, key_rows::Kind::X25519, &sealing);
        for (row, secret) in [
            (&mut signing_row, signing_key.expose_bytes()),
            (&mut sealing_row, sealing_key.expose_bytes()),
        ] {
            row.secret = Some(app.keys.wrap_key(row.id, &secret, &mut *entropy));
        }
        Ok(Self {
            id,
            account,
            custody: rows::Custody::Wrapped,
            signing,
            sealing,
            certificate: None,
            keys: vec![account_row, signing_row, sealing_row],
            account_key: Some(account_key),
        })
    }

    pub(super) fn participant(
        &self,
        app: &App,
        role: rows::Role,
        profile: &Profile,
        permits: String,
    ) -> rows::Participant {
        let text = profile.to_json();
        let now = app.now();
        rows::Participant {
            id: self.id,
            role,
            did: did(app, self.account),
            account: self.account,
            name: profile.name.clone(),
            country: profile.country.clone(),
            profile_digest: Digest(crate::app::keys::profile_digest(app.provider(), &text)),
            profile: text,
            permits,
            custody: self.custody,
            state: State::Pending,
            created: now,
            updated: now,
        }
    }

    pub(super) fn registry_keys(&self, app: &App) -> registry::Keys {
        let point = self.signing.as_bytes();
        let half = |range: std::ops::Range<usize>| -> [u8; 32] { point[range].try_into().expect("an SEC1 point") };
        registry::Keys {
            p256_x: half(1..33),
            p256_y: half(33..65),
            x25519: self.sealing,
            certificate: self
                .certificate
                .as_deref()
                .map_or([0; 32], |der| vidimus_core::Provider::sha256(&*app.provider, &[der]).0),
        }
    }
}

fn certify(
    app: &App,
    authority: &Authority,
    key: &PublicKey,
    profile: &Profile,
    did: &str,
    role: rows::Role,
    now: Timestamp,
) -> Result<Vec<u8>, Error> {
    let subject = Subject {
        common_name: profile.name.clone(),
        organization: Some(profile.name.clone()),
        country: Some(profile.country.clone()),
    };
    let validity = Validity {
        not_before: now.plus(-300),
        not_after: now.plus(SIGNER_VALIDITY),
    };
    // An issuer's signer may sign every group: what it may issue is the registry's to say, changes there, and is checked there. A certificate
    // that said less would be wrong with the first grant after it.
    let groups: &[DocumentGroup] = match role {
        rows::Role::Issuer => &[DocumentGroup::Test, DocumentGroup::Vaccination, DocumentGroup::Recovery],
        _ => &[],
    };
    let certificate = if groups.is_empty() {
        let mut host: Vec<String> = profile
            .address
            .iter()
            .filter_map(|url| {
                url.strip_prefix("https://")?
                    .split(['/', ':'])
                    .next()
                    .map(str::to_owned)
            })
            .collect();
        // Wallets answer to this deployment: they take a request only where its certificate names the host.
        host.extend(own_host(app).filter(|own| !host.contains(own)));
        authority.issue_access(
            key,
            &subject,
            &host,
            &[did.to_owned()],
            validity,
            now,
            &mut *app.entropy(),
        )
    } else {
        authority.issue_document_signer(key, &subject, groups, validity, now, &mut *app.entropy())
    };
    Ok(certificate?)
}

/// The host of the public address.
fn own_host(app: &App) -> Option<String> {
    let authority = app.config.server.public_url.as_str().split_once("://")?.1;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    Some(host.trim_matches(['[', ']']).to_owned())
}

/// A new account for a participant: its key made here, or the account of its card.
pub(super) fn new_account(
    app: &App,
    participant: ParticipantId,
    version: u32,
    card: Option<&str>,
) -> Result<(key_rows::Key, Address), Error> {
    let pending = key_rows::State::Pending;
    if let Some(card) = card {
        let card = HolderCard::verify(card, app.provider(), app.now()).map_err(bad_card)?;
        let account = account_of(app, &card.did)?;
        return Ok((own_account(app, participant, account, version, pending), account));
    }
    let (row, account, _) = generate_account(app, participant, version, pending)?;
    Ok((row, account))
}

/// An account key that is made and kept here.
fn generate_account(
    app: &App,
    participant: ParticipantId,
    version: u32,
    state: key_rows::State,
) -> Result<(key_rows::Key, Address, SigningKey), Error> {
    let mut entropy = app.entropy();
    let made = SigningKey::generate(KeyKind::Secp256k1, &mut *entropy);
    let account = made
        .public_key()
        .address(app.provider())
        .ok_or(Error::Internal("an account key"))?;
    let row = own_account(app, participant, account, version, state);
    let row = key_rows::Key {
        public: made.public_key().as_bytes().to_vec(),
        secret: Some(app.keys.wrap_key(row.id, &made.expose_bytes(), &mut *entropy)),
        ..row
    };
    Ok((row, account, made))
}

fn first_key(
    app: &App,
    participant: ParticipantId,
    purpose: &str,
    kind: key_rows::Kind,
    public: &[u8],
) -> key_rows::Key {
    let now = app.now();
    key_rows::Key {
        id: KeyId::generate(&mut *app.entropy()),
        participant: Some(participant),
        purpose: purpose.to_owned(),
        kind,
        version: 1,
        public: public.to_vec(),
        secret: None,
        certificate: None,
        valid_from: now,
        valid_until: None,
        state: key_rows::State::Active,
        created: now,
    }
}
