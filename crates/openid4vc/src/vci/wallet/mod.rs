//! A wallet's side of an issuance, sans-IO: [`Issuance`] says what to do next, the caller does it and tells what came of it.
//!
//! It begins with an offer, or with a session that was kept for new copies, and goes on through the issuer's and the authorization server's
//! metadata, the person's choice, a pushed request and the browser or a pre-authorized code, the token, the nonce, the proofs and the
//! credentials, at once or later, to the notification. Nonces of servers, expired tokens and refused nonces are dealt with on the way.
//!
//! What is kept of an issuance between two steps holds codes, tokens and a decryption key: whoever reads it can go on with it.

mod begin;
mod grant;
mod http;
mod issue;
mod machine;

pub use http::{HttpRequest, HttpResponse, Method};
pub use machine::Issuance;

use super::{
    encryption::EncryptionError,
    metadata::{self, Configuration},
    offer::{OfferError, TxCode},
    signed_metadata::SignedMetadataError,
};
use crate::oauth::{self, Identifier, Opaque, WireError, authorization::ResponseError};
use serde::{Deserialize, Serialize};
use vidimus_core::{Encryption, Entropy, SignError, Signer, Timestamp};
use vidimus_credential::x509::Certificate;

/// What a wallet insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Only as HAIP 1.0 has it: the authorization code with PAR, PKCE and DPoP, the issuer named in the answer, a scope for each configuration,
    /// a nonce endpoint where keys are bound, client authentication by attestation.
    pub haip: bool,
    /// Servers on this machine may be spoken to without TLS.
    pub loopback: bool,
    /// Responses are encrypted wherever the issuer can, not only where it insists.
    pub encrypt: bool,
    /// Metadata must be signed by one of the trusted roots ([`Context::metadata_roots`]).
    pub signed_metadata: bool,
}

impl Policy {
    /// As HAIP 1.0 demands.
    pub const HAIP: Self = Self {
        haip: true,
        loopback: false,
        encrypt: false,
        signed_metadata: false,
    };
    /// What the specification allows and is not unsafe: bearer tokens and pre-authorized codes too.
    pub const LENIENT: Self = Self {
        haip: false,
        ..Self::HAIP
    };
}

/// How the wallet authenticates (OpenID4VCI appendix E).
#[derive(Clone, Copy)]
pub struct ClientAuthentication<'a> {
    /// The attestation, made for this issuer alone.
    pub attestation: &'a str,
    /// The key that it attests.
    pub signer: &'a dyn Signer,
}

impl std::fmt::Debug for ClientAuthentication<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientAuthentication(…)")
    }
}

/// What each step is given.
pub struct Context<'a> {
    /// Now.
    pub now: Timestamp,
    /// Cryptography.
    pub crypto: &'a dyn Encryption,
    /// Randomness.
    pub entropy: &'a mut dyn Entropy,
    /// The key that tokens are to be bound to: one for each issuer, the same through the whole issuance.
    pub dpop: Option<&'a dyn Signer>,
    /// How the wallet authenticates.
    pub client: Option<ClientAuthentication<'a>>,
    /// Roots whose certificates may sign metadata.
    pub metadata_roots: &'a [Certificate],
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The wallet software.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletClient {
    /// Its `client_id`: the attestation's `sub`.
    pub client_id: String,
    /// Where the browser comes back to.
    pub redirect_uri: String,
}

/// What is offered, for the person to look at.
#[derive(Debug, Clone, Copy)]
pub struct Review<'a> {
    /// From whom: the address, which TLS vouches for.
    pub issuer: &'a Identifier,
    /// What it calls itself; `signed` says whether somebody trusted vouches for it.
    pub metadata: &'a metadata::IssuerMetadata,
    /// Whether the metadata were signed by a trusted root.
    pub signed: bool,
    /// What is offered: ids with their configurations.
    pub offered: &'a [String],
    /// A transaction code is needed: it looks like that.
    pub tx_code: Option<&'a TxCode>,
    /// Through the browser; otherwise with the code in the offer.
    pub through_browser: bool,
}

impl<'a> Review<'a> {
    /// The configuration of an id that is offered.
    pub fn configuration(&self, id: &str) -> Option<&'a Configuration> {
        self.metadata.credential_configurations_supported.get(id)
    }
}

/// What the person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which of the configurations, each with how many copies.
    pub configurations: Vec<(String, usize)>,
    /// The transaction code as it was typed.
    pub tx_code: Option<Opaque>,
}

/// A key to prove.
#[derive(Clone, Copy)]
pub struct HolderKey<'a> {
    /// The key.
    pub signer: &'a dyn Signer,
    /// The DID URL by which it is named, where keys are bound by DIDs.
    pub kid: Option<&'a str>,
}

impl std::fmt::Debug for HolderKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HolderKey({:?})", self.signer.public_key())
    }
}

/// Proofs that are needed before a credential can be requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prove {
    /// For which configuration.
    pub configuration: String,
    /// How many keys: one for each copy, used for nothing else.
    pub keys: usize,
    /// The algorithms that are accepted, of those known here.
    pub algorithms: Vec<vidimus_core::Algorithm>,
    /// How keys may be named.
    pub binding_methods: Vec<String>,
    /// The issuer's nonce: goes into the key attestation, where there is one.
    pub nonce: Option<String>,
    /// What a key attestation must say; `None`: it needs none.
    pub attestation: Option<metadata::AttestationsRequired>,
    /// Proofs of possession are not taken, a key attestation alone is.
    pub attestation_alone: bool,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Send it, without following redirects, and give [`Issuance::receive`] what comes back.
    Send(HttpRequest),
    /// Show [`Issuance::review`] to the person, and give [`Issuance::accept`] what they chose.
    Review,
    /// Send the person there with a browser, and give [`Issuance::callback`] the query that comes back.
    Browse(String),
    /// Give [`Issuance::prove`] the keys and, where it is asked for, their attestation.
    Prove(Prove),
    /// Store the copies, and tell [`Issuance::stored`] what became of them.
    Store(Received),
    /// Nothing before this time; then [`Issuance::poll`].
    Wait(Timestamp),
    /// All is done; [`Issuance::session`] is what new copies can be had with.
    Done,
}

/// Copies that were issued.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Their configuration.
    pub configuration: String,
    /// The copies. Which key each is bound to is in it: the wallet checks that it is one of those it proved.
    pub credentials: Vec<String>,
    /// Names them in notifications.
    pub notification_id: Option<String>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received")
            .field("configuration", &self.configuration)
            .field("credentials", &self.credentials.len())
            .finish_non_exhaustive()
    }
}

/// What new copies can be had with, without asking the person again. Whoever has it, and the key that the token is bound to, can have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// From whom.
    pub issuer: Identifier,
    /// Which authorization server.
    pub server: Identifier,
    /// The refresh token.
    pub refresh_token: Opaque,
    /// Whether it was given to a client that said who it is.
    pub named: bool,
}

/// Where something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The document at a `credential_offer_uri`.
    Offer,
    /// The credential issuer's metadata.
    IssuerMetadata,
    /// The authorization server's metadata.
    ServerMetadata,
    /// The challenge endpoint.
    Challenge,
    /// The pushed authorization request.
    PushedRequest,
    /// The browser.
    Authorization,
    /// The token endpoint.
    Token,
    /// The nonce endpoint.
    Nonce,
    /// The credential endpoint.
    Credential,
    /// The deferred credential endpoint.
    Deferred,
    /// The notification endpoint.
    Notification,
}

/// Why an issuance does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The caller did what was not asked for.
    #[error("this is not what the issuance waits for")]
    Step,
    /// The offer is not readable.
    #[error("the offer is not readable")]
    Offer(#[from] OfferError),
    /// A server is not to be spoken to: without TLS, or the URL is none.
    #[error("the address {0} is not secure")]
    Insecure(String),
    /// A server answered with a status that is none of its protocol's.
    #[error("unexpected answer {status} at {place:?}")]
    Status {
        /// Where.
        place: Place,
        /// The status.
        status: u16,
    },
    /// A server answered in another media type.
    #[error("the answer at {0:?} is of another media type")]
    MediaType(Place),
    /// A server said no. Texts are the server's own.
    #[error("refused at {place:?}: {error}")]
    Refused {
        /// Where.
        place: Place,
        /// The code.
        error: String,
        /// The sentence, if there was one.
        description: Option<String>,
    },
    /// An answer is not readable.
    #[error("the answer at {place:?} is not readable")]
    Answer {
        /// Where.
        place: Place,
        /// Why.
        #[source]
        source: WireError,
    },
    /// The issuer's metadata are not used.
    #[error("the credential issuer's metadata are not used")]
    IssuerMetadata(#[from] metadata::MetadataError),
    /// The issuer's signed metadata are not used.
    #[error("the credential issuer's signed metadata are not used")]
    SignedMetadata(#[from] SignedMetadataError),
    /// The policy wants signed metadata, and these are not.
    #[error("the credential issuer's metadata are not signed")]
    Unsigned,
    /// The authorization server's metadata are not used.
    #[error("the authorization server's metadata are not used")]
    ServerMetadata(#[from] oauth::metadata::MetadataError),
    /// The offer names an authorization server that the issuer does not.
    #[error("the offer names an authorization server that is not the issuer's")]
    OtherServer,
    /// Nothing that is offered is known to the issuer's metadata in a format that is known here.
    #[error("nothing that is offered can be read here")]
    NothingOffered,
    /// No grant of the offer is supported by the server and this wallet.
    #[error("there is no way to get what is offered that this wallet supports")]
    NoGrant,
    /// The server does not do what the policy insists on.
    #[error("the issuer does not support {0}, which this wallet insists on")]
    Policy(&'static str),
    /// None of the algorithms that the server lists is one that the wallet's key signs with.
    #[error("the wallet's {0} key signs with no algorithm that the server lists")]
    Algorithm(&'static str),
    /// What was chosen was not offered, or the transaction code cannot be the one.
    #[error("the choice is not one of what was offered")]
    Choice,
    /// What came back from the browser is not the answer to this issuance.
    #[error("the answer from the browser is not used")]
    Callback(#[from] ResponseError),
    /// The token is of another type than was asked for, or for nothing that was chosen.
    #[error("the token is not one that was asked for")]
    Token,
    /// The number of keys, or their attestation, is not what was asked for.
    #[error("the keys are not those that were asked for")]
    Keys,
    /// A key did not sign.
    #[error("a key did not sign")]
    Sign(#[from] SignError),
    /// A message cannot be encrypted or opened.
    #[error("the encryption of the credential endpoint does not work")]
    Encryption(#[from] EncryptionError),
    /// The answer had to be encrypted, and was not.
    #[error("the credentials came without the encryption that was asked for")]
    Clear,
    /// There are more credentials than keys, or the transaction changed.
    #[error("the credential response does not fit the request")]
    Response,
    /// The server asked for another nonce too often.
    #[error("the server asks for new nonces without end")]
    Nonces,
}

pub(super) fn answer<T>(place: Place, read: Result<T, WireError>) -> Result<T, WalletError> {
    read.map_err(|source| WalletError::Answer { place, source })
}

/// As many copies as one request may be for.
pub const MAX_COPIES: usize = super::request::MAX_PROOFS;
