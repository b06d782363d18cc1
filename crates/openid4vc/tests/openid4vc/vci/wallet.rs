//! A traveller's wallet gets certificates from the health authority, and refuses what is not in order.

mod refusals;

use super::{
    server::{KeptPreAuthorized, Reply, Server, Tamper},
    world::{Attester, ISSUER, NAAT, NAAT_JWT, NOW, Seeded, issuer, key},
};
use serde_json::json;
use vidimus_core::{Algorithm, Signer, Timestamp, encoding};
use vidimus_crypto::{Native, SigningKey};
use vidimus_openid4vc::{
    oauth::{Opaque, attestation},
    vci::{
        CredentialOffer, Event, OfferLink,
        issuer::Policy as IssuerPolicy,
        key_attestation,
        metadata::MetadataError,
        offer::{AuthorizationCodeGrant, Grants, InputMode, Invocation, PreAuthorizedGrant, TxCode},
        signed_metadata::sign,
        wallet::{
            Choice, ClientAuthentication, Context, HolderKey, HttpResponse, Issuance, Next, Place, Policy, Prove,
            Received, WalletClient, WalletError,
        },
    },
};

struct Wallet {
    dpop: SigningKey,
    instance: SigningKey,
    attestation: String,
    native: Native,
    entropy: Seeded,
    now: Timestamp,
    attests: bool,
    binds: bool,
    first_key: u64,
}

impl Wallet {
    fn new() -> Self {
        let attester = Attester::new(100);
        let instance = key(900);
        let draft = attestation::Draft {
            issuer: "https://provider.example",
            client_id: "wallet",
            key: instance.public_key(),
            issued_at: NOW,
            expires_at: NOW.plus(86_400),
            wallet_name: Some("Vidimus"),
            wallet_link: None,
            status: None,
        };
        Self {
            attestation: draft.sign(&attester.key, Algorithm::Es256, &attester.chain).unwrap(),
            dpop: key(901),
            instance,
            native: Native::new(),
            entropy: Seeded(31),
            now: NOW,
            attests: true,
            binds: true,
            first_key: 1000,
        }
    }

    fn client() -> Option<WalletClient> {
        Some(WalletClient {
            client_id: "wallet".into(),
            redirect_uri: "https://wallet.example/cb".into(),
        })
    }

    fn context(&mut self) -> Context<'_> {
        Context {
            now: self.now,
            crypto: &self.native,
            entropy: &mut self.entropy,
            dpop: self.binds.then_some(&self.dpop as &dyn Signer),
            client: self.attests.then_some(ClientAuthentication {
                attestation: &self.attestation,
                signer: &self.instance,
            }),
            metadata_roots: &[],
        }
    }

    fn begin(&mut self, link: &str, policy: Policy) -> Result<(Issuance, Next), WalletError> {
        Issuance::from_link(link, policy, Self::client(), &mut self.context())
    }

    /// Sends what is to be sent, until something else is to be done. Between two steps the issuance is written and read back.
    fn run(&mut self, issuance: &mut Issuance, mut next: Next, server: &mut Server) -> Result<Next, WalletError> {
        while let Next::Send(request) = next {
            let kept = serde_json::to_string(issuance).unwrap();
            *issuance = serde_json::from_str(&kept).unwrap();
            let Reply { status, headers, body } = server.answer(&request);
            let response = HttpResponse {
                status,
                headers: &headers,
                body: body.as_bytes(),
            };
            next = issuance.receive(&mut self.context(), response)?;
        }
        Ok(next)
    }

    fn accept(
        &mut self,
        issuance: &mut Issuance,
        wanted: &[(&str, usize)],
        tx_code: Option<&str>,
        server: &mut Server,
    ) -> Result<Next, WalletError> {
        let choice = Choice {
            configurations: wanted.iter().map(|(id, copies)| ((*id).to_owned(), *copies)).collect(),
            tx_code: tx_code.map(Opaque::new),
        };
        let next = issuance.accept(choice, &mut self.context())?;
        self.run(issuance, next, server)
    }

    /// Proves as many new keys as are asked for.
    fn prove(&mut self, issuance: &mut Issuance, prove: &Prove, server: &mut Server) -> Result<Next, WalletError> {
        let first = self.first_key;
        self.first_key += prove.keys as u64;
        let keys: Vec<SigningKey> = (first..self.first_key).map(key).collect();
        let attestation = prove.attestation.as_ref().map(|_| {
            let attester = Attester::new(100);
            let publics: Vec<_> = keys.iter().map(|key| key.public_key().clone()).collect();
            let draft = key_attestation::Draft {
                issuer: "https://provider.example",
                keys: &publics,
                issued_at: self.now,
                expires_at: self.now.plus(3600),
                nonce: prove.nonce.as_deref(),
                key_storage: &[key_attestation::resistance::MODERATE],
                user_authentication: &[],
                status: None,
            };
            draft.sign(&attester.key, Algorithm::Es256, &attester.chain).unwrap()
        });
        let holders: Vec<_> = keys.iter().map(|signer| HolderKey { signer, kid: None }).collect();
        let next = issuance.prove(&holders, attestation, &mut self.context())?;
        self.run(issuance, next, server)
    }

    fn receive(&mut self, issuance: &mut Issuance, next: Next, server: &mut Server) -> Result<Received, WalletError> {
        let next = match next {
            Next::Prove(prove) => self.prove(issuance, &prove, server)?,
            other => other,
        };
        match next {
            Next::Store(received) => Ok(received),
            other => panic!("expected copies, found {other:?}"),
        }
    }

    fn stored(&mut self, issuance: &mut Issuance, server: &mut Server) -> Result<Next, WalletError> {
        let next = issuance.stored(Event::Accepted, &mut self.context())?;
        self.run(issuance, next, server)
    }
}

fn copy_for(seed: u64) -> String {
    format!("copy-for-{}", encoding::hex(&key(seed).public_key().as_bytes()[1..5]))
}

fn handed_over(server: &mut Server, tx_code: Option<&str>) -> String {
    let kept = KeptPreAuthorized {
        configurations: vec![NAAT.into(), NAAT_JWT.into()],
        tx_code: tx_code.map(Opaque::new),
        attempts: 3,
        used: false,
    };
    server.offers.insert("SplxlOBeZQQYbYS6WxSbIA".into(), kept);
    let grant = PreAuthorizedGrant {
        code: Opaque::new("SplxlOBeZQQYbYS6WxSbIA"),
        tx_code: tx_code.map(|code| TxCode {
            input_mode: InputMode::Numeric,
            length: Some(code.len() as u16),
            description: Some("The code that came by mail".into()),
        }),
        authorization_server: None,
    };
    link(Grants {
        pre_authorized_code: Some(grant),
        authorization_code: None,
    })
}

fn by_browser() -> String {
    let grant = AuthorizationCodeGrant {
        issuer_state: Some("state-1".into()),
        authorization_server: None,
    };
    link(Grants {
        pre_authorized_code: None,
        authorization_code: Some(grant),
    })
}

fn link(grants: Grants) -> String {
    let offer = CredentialOffer {
        credential_issuer: issuer(),
        credential_configuration_ids: vec![NAAT.into(), NAAT_JWT.into()],
        grants: Some(grants),
    };
    OfferLink::Value(offer).to_link(&Invocation::HaipVci)
}

#[test]
fn the_laboratory_hands_over_an_offer_and_mails_a_code() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    let link = handed_over(&mut server, Some("493536"));
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    assert!(matches!(
        wallet.run(&mut issuance, next, &mut server).unwrap(),
        Next::Review
    ));
    let review = issuance.review().unwrap();
    assert!(!review.through_browser && !review.signed);
    assert_eq!(review.tx_code.unwrap().length, Some(6));
    assert_eq!(review.configuration(NAAT).unwrap().scope.as_deref(), Some("naat"));

    // What cannot be the code costs no attempt; what can be, and is not, may be typed again.
    assert_eq!(
        wallet
            .accept(&mut issuance, &[(NAAT, 3)], Some("49353"), &mut server)
            .unwrap_err(),
        WalletError::Choice
    );
    let wrong = wallet
        .accept(&mut issuance, &[(NAAT, 3)], Some("493537"), &mut server)
        .unwrap_err();
    assert!(matches!(wrong, WalletError::Refused { place: Place::Token, ref error, .. } if error == "invalid_grant"));
    let next = wallet
        .accept(&mut issuance, &[(NAAT, 3)], Some("493536"), &mut server)
        .unwrap();
    let received = wallet.receive(&mut issuance, next, &mut server).unwrap();
    assert_eq!(received.credentials, [1000, 1001, 1002].map(copy_for));
    assert!(matches!(wallet.stored(&mut issuance, &mut server).unwrap(), Next::Done));
    assert_eq!(server.notified, [(received.notification_id.unwrap(), Event::Accepted)]);
}

#[test]
fn three_wrong_codes_lock_the_offer_and_a_used_one_is_used() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    let link = handed_over(&mut server, Some("493536"));
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    for code in ["111111", "222222", "333333", "493536"] {
        let refused = wallet
            .accept(&mut issuance, &[(NAAT, 1)], Some(code), &mut server)
            .unwrap_err();
        assert!(
            matches!(refused, WalletError::Refused { ref error, .. } if error == "invalid_grant"),
            "{code}"
        );
    }

    let link = handed_over(&mut server, None);
    let mut take = |wallet: &mut Wallet| {
        let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT)?;
        wallet.run(&mut issuance, next, &mut server)?;
        wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server)
    };
    assert!(take(&mut wallet).is_ok());
    let mut other = Wallet {
        entropy: Seeded(32),
        ..Wallet::new()
    };
    let again = take(&mut other).unwrap_err();
    assert!(matches!(again, WalletError::Refused { ref error, .. } if error == "invalid_grant"));
}

#[test]
fn haip_from_the_browser_to_the_notification_and_new_copies_later() {
    let mut wallet = Wallet::new();
    let mut server = Server::new().with_challenges().with_encryption(true);
    server.policy = IssuerPolicy::HAIP;
    server.dpop_nonce = Some("eyJ7S_zG.eyJH0-Z.HX4w-7v");
    server.server["pre-authorized_grant_anonymous_access_supported"] = json!(false);
    server.metadata["credential_configurations_supported"][NAAT]["proof_types_supported"]["jwt"]["key_attestations_required"] =
        json!({"key_storage": ["iso_18045_moderate"]});
    let (mut issuance, next) = wallet.begin(&by_browser(), Policy::HAIP).unwrap();
    assert!(matches!(
        wallet.run(&mut issuance, next, &mut server).unwrap(),
        Next::Review
    ));
    assert!(issuance.review().unwrap().through_browser);
    let next = wallet.accept(&mut issuance, &[(NAAT, 2)], None, &mut server).unwrap();
    let Next::Browse(location) = next else {
        panic!("expected the browser, found {next:?}")
    };
    assert!(location.starts_with(&format!("{ISSUER}/authorize?client_id=wallet&request_uri=urn%3Aietf")));
    let back = server.browse(&location);
    let next = issuance.callback(&back, &mut wallet.context()).unwrap();
    let next = wallet.run(&mut issuance, next, &mut server).unwrap();
    let received = wallet.receive(&mut issuance, next, &mut server).unwrap();
    assert_eq!(received.credentials, [1000, 1001].map(copy_for));
    assert!(matches!(wallet.stored(&mut issuance, &mut server).unwrap(), Next::Done));
    let asked: Vec<_> = server.log.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(
        asked,
        [
            "issuer",
            "issuer",
            "challenge",
            "par",
            "challenge",
            "token",
            "challenge",
            "token",
            "nonce",
            "credential",
            "notification",
        ]
    );

    let session = issuance.session().unwrap().clone();
    wallet.now = NOW.plus(3600);
    server.now = wallet.now;
    let wanted = [(NAAT.to_owned(), 1)];
    let (mut issuance, next) = Issuance::renew(
        session.clone(),
        &wanted,
        Policy::HAIP,
        Wallet::client(),
        &mut wallet.context(),
    )
    .unwrap();
    let next = wallet.run(&mut issuance, next, &mut server).unwrap();
    let received = wallet.receive(&mut issuance, next, &mut server).unwrap();
    assert_eq!(received.credentials, [copy_for(1002)]);

    // The refresh token was exchanged: a copy of it is worth nothing, nor is the new one with another key.
    let replayed = Issuance::renew(session, &wanted, Policy::HAIP, Wallet::client(), &mut wallet.context()).unwrap();
    let (mut replayed, next) = replayed;
    assert!(wallet.run(&mut replayed, next, &mut server).is_err());
    let session = issuance.session().unwrap().clone();
    let mut thief = Wallet {
        dpop: key(950),
        now: wallet.now,
        ..Wallet::new()
    };
    let (mut stolen, next) =
        Issuance::renew(session, &wanted, Policy::HAIP, Wallet::client(), &mut thief.context()).unwrap();
    let refused = thief.run(&mut stolen, next, &mut server).unwrap_err();
    assert!(matches!(refused, WalletError::Refused { ref error, .. } if error == "invalid_dpop_proof"));
}

#[test]
fn a_result_that_is_pending_comes_later_with_a_new_token() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new().with_encryption(false));
    server.ready = false;
    server.by_identifier = true;
    let link = handed_over(&mut server, None);
    let policy = Policy {
        encrypt: true,
        ..Policy::LENIENT
    };
    let (mut issuance, next) = wallet.begin(&link, policy).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
    let Next::Prove(prove) = next else {
        panic!("expected proofs, found {next:?}")
    };
    let next = wallet.prove(&mut issuance, &prove, &mut server).unwrap();
    let Next::Wait(until) = next else {
        panic!("expected to wait, found {next:?}")
    };
    assert_eq!(until, NOW.plus(3600));
    assert!(matches!(issuance.poll(&mut wallet.context()).unwrap(), Next::Wait(_)));

    wallet.now = until;
    server.now = until;
    let next = issuance.poll(&mut wallet.context()).unwrap();
    let next = wallet.run(&mut issuance, next, &mut server).unwrap();
    assert!(matches!(next, Next::Wait(until) if until == NOW.plus(3660)));
    assert_eq!(
        server.log[server.log.len() - 2..],
        ["/issuer/token", "/issuer/deferred"]
    );
    server.ready = true;
    wallet.now = NOW.plus(3660);
    server.now = wallet.now;
    let next = issuance.poll(&mut wallet.context()).unwrap();
    let next = wallet.run(&mut issuance, next, &mut server).unwrap();
    assert!(matches!(next, Next::Store(received) if received.credentials == [copy_for(1000)]));
    let again = issuance.again(&mut wallet.context()).unwrap();
    assert!(matches!(again, Next::Store(_)));
}

#[test]
fn a_nonce_that_is_refused_is_fetched_again_once() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    server.stale_nonces = 1;
    let link = handed_over(&mut server, None);
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
    let Next::Prove(prove) = next else {
        panic!("expected proofs, found {next:?}")
    };
    let next = wallet.prove(&mut issuance, &prove, &mut server).unwrap();
    let Next::Prove(other) = next else {
        panic!("expected proofs again, found {next:?}")
    };
    assert_ne!(prove.nonce, other.nonce);
    server.stale_nonces = 1;
    let refused = wallet.prove(&mut issuance, &other, &mut server).unwrap_err();
    assert!(
        matches!(refused, WalletError::Refused { place: Place::Credential, ref error, .. } if error == "invalid_nonce")
    );
}

/// A connection that broke for longer than token and nonce are good: both are had anew, and nothing is lost.
#[test]
fn what_broke_off_goes_on_after_token_and_nonce_have_ended() {
    for knows in [true, false] {
        let (mut wallet, mut server) = (Wallet::new(), Server::new());
        let link = handed_over(&mut server, None);
        let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
        wallet.run(&mut issuance, next, &mut server).unwrap();
        let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
        let Next::Prove(prove) = next else {
            panic!("expected proofs, found {next:?}")
        };
        // The credential request leaves, and no answer comes.
        let broken = server.log.len();
        server.tamper = Some(("/issuer/credential", |reply| {
            reply.body = "later".to_owned();
            reply.status = 503;
        }));
        wallet.prove(&mut issuance, &prove, &mut server).unwrap_err();
        server.tamper = None;
        server.stale_nonces = 1;
        server.now = NOW.plus(3_600);
        if knows {
            wallet.now = server.now;
        }
        let kept = serde_json::to_string(&issuance).unwrap();
        let mut issuance: Issuance = serde_json::from_str(&kept).unwrap();
        let next = issuance.again(&mut wallet.context()).unwrap();
        wallet.now = server.now;
        let next = wallet.run(&mut issuance, next, &mut server).unwrap();
        let Next::Prove(prove) = next else {
            panic!("expected proofs again, found {next:?}")
        };
        let next = wallet.prove(&mut issuance, &prove, &mut server).unwrap();
        assert!(matches!(next, Next::Store(_)), "{next:?}");
        assert!(
            server.log[broken..].iter().any(|path| path == "/issuer/token"),
            "{:?}",
            server.log
        );
    }
}

#[test]
fn a_bearer_token_is_taken_where_the_policy_is_lenient_and_two_formats_in_turn() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    wallet.binds = false;
    wallet.attests = false;
    server.metadata["credential_configurations_supported"][NAAT_JWT] =
        server.metadata["credential_configurations_supported"][NAAT].clone();
    let link = handed_over(&mut server, None);
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet
        .accept(&mut issuance, &[(NAAT, 1), (NAAT_JWT, 2)], None, &mut server)
        .unwrap();
    let first = wallet.receive(&mut issuance, next, &mut server).unwrap();
    let next = wallet.stored(&mut issuance, &mut server).unwrap();
    let second = wallet.receive(&mut issuance, next, &mut server).unwrap();
    assert_eq!((first.credentials.len(), second.credentials.len()), (1, 2));
    assert_eq!(
        (first.configuration.as_str(), second.configuration.as_str()),
        (NAAT, NAAT_JWT)
    );
    assert!(matches!(wallet.stored(&mut issuance, &mut server).unwrap(), Next::Done));
    assert!(!format!("{issuance:?}").contains("SplxlOBeZQQYbYS6WxSbIA"));
}

#[test]
fn a_holder_may_be_bound_by_a_did() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    server.metadata["credential_configurations_supported"][NAAT]["cryptographic_binding_methods_supported"] =
        json!(["did:jwk"]);
    let link = handed_over(&mut server, None);
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
    let Next::Prove(prove) = next else {
        panic!("expected proofs, found {next:?}")
    };
    assert_eq!(prove.binding_methods, ["did:jwk"]);
    let holder = key(1);
    let unnamed = [HolderKey {
        signer: &holder,
        kid: None,
    }];
    assert_eq!(
        issuance.prove(&unnamed, None, &mut wallet.context()).unwrap_err(),
        WalletError::Keys
    );
    let kid = format!(
        "did:jwk:{}#0",
        encoding::base64url(holder.public_key().to_jwk().unwrap().to_string().as_bytes())
    );
    let named = [HolderKey {
        signer: &holder,
        kid: Some(&kid),
    }];
    let next = issuance.prove(&named, None, &mut wallet.context()).unwrap();
    let next = wallet.run(&mut issuance, next, &mut server).unwrap();
    assert!(matches!(next, Next::Store(received) if received.credentials == [format!("copy-for-{kid}")]));
}
