//! Issuing to wallets by OpenID4VCI 1.0: each admitted issuer is a credential issuer and its own authorization server, under
//! `/issuers/{participant}`.
//!
//! Codes, tokens and handles are 256 random bits, kept as hashes. Nonces and challenges cost the database nothing before they are used: they
//! carry their own time, under a key of the deployment, and what was used is remembered until it could not be used again.

pub mod again;
pub mod attest;
pub mod authorize;
pub mod credential;
pub mod deferred;
pub mod identity;
pub mod incoming;
pub mod metadata;
pub mod nonces;
pub mod notification;
pub mod offers;
pub mod own_keys;
pub mod refusal;
pub mod standing;
pub mod token;
pub mod views;

pub use incoming::Incoming;
pub use notification::push_owner;
pub use refusal::Refusal;

use crate::app::{App, error::Error, participants};
use vidimus_core::id::ParticipantId;
use vidimus_credential::{CategoryId, Format, check::registry::Grant};
use vidimus_openid4vc::oauth::{Endpoint, Identifier};
use vidimus_store::{
    Scope,
    participants::{Participant, Role},
};

/// The rows of a participant that let a wallet in by its own offer or request: what its token or request permits, and no more, is looked up.
pub const fn scope_of(participant: &Participant) -> Scope {
    Scope::on_behalf_of(participant.id)
}

/// An admitted issuer as wallets see it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its row.
    pub issuer: Participant,
    /// Its identifier, as credential issuer and as authorization server.
    pub id: Identifier,
}

impl Site {
    /// The site of an issuer in good standing. One that is not answers as if it were not there.
    pub async fn open(app: &App, issuer: ParticipantId) -> Result<Self, Error> {
        let missing = || Error::NotFound("issuer");
        let row = participants::find(app, issuer).await.map_err(|error| match error {
            Error::NotFound(_) => missing(),
            other => other,
        })?;
        if row.role != Role::Issuer || participants::in_good_standing(&app.registries().issuers, &row).is_err() {
            return Err(missing());
        }
        Ok(Self::of(app, row))
    }

    /// The site of an issuer, whatever its standing.
    pub fn of(app: &App, issuer: Participant) -> Self {
        let id = Identifier::new(app.url(&format!("/issuers/{}", issuer.id)))
            .expect("the public address is https, or http to this machine");
        Self { issuer, id }
    }

    /// The issuer's rows, for a wallet.
    pub const fn scope(&self) -> Scope {
        scope_of(&self.issuer)
    }

    /// One of its endpoints.
    pub fn endpoint(&self, name: &str) -> Endpoint {
        Endpoint::new(format!("{}/{name}", self.id)).expect("an identifier and a path make an address")
    }

    /// What it can issue to wallets now: its categories in each rendering that wallets hold.
    pub fn configurations(&self, app: &App) -> Vec<Configuration> {
        let registries = app.registries();
        let Some(entry) = registries.issuers.participant(&self.issuer.account) else {
            return Vec::new();
        };
        let mut configurations = Vec::new();
        for grant in entry.grants() {
            let Grant::Category(name) = grant else { continue };
            let Ok(id) = CategoryId::new(name.as_str()) else {
                continue;
            };
            let Some(category) = app.categories.category(&id) else {
                continue;
            };
            let formats = HELD.iter().filter(|format| category.permits(**format));
            configurations.extend(formats.map(|format| Configuration {
                category: id.clone(),
                format: *format,
            }));
        }
        configurations
    }
}

/// The renderings that wallets hold.
const HELD: [Format; 2] = [Format::SdJwtVc, Format::VcJwt11];

/// One credential configuration: a category in a rendering.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Configuration {
    /// The category.
    pub category: CategoryId,
    /// The rendering.
    pub format: Format,
}

impl Configuration {
    /// Its key in the metadata, which is its scope too.
    pub fn id(&self) -> String {
        format!("{}.{}", self.category, self.format_name())
    }

    /// The format as OpenID4VCI names it.
    pub const fn format_name(&self) -> &'static str {
        match self.format {
            Format::SdJwtVc => "dc+sd-jwt",
            _ => "jwt_vc_json",
        }
    }

    /// The inverse of [`Self::id`], among those that an issuer has.
    pub fn find(id: &str, among: &[Self]) -> Option<Self> {
        among.iter().find(|one| one.id() == id).cloned()
    }
}
