//! What an issuer grants, and what not.

use super::world::{NAAT, NAAT_JWT, NOW, metadata};
use vidimus_core::{Digest, Timestamp};
use vidimus_crypto::Native;
use vidimus_openid4vc::{
    oauth::{
        AuthorizationDetail, ErrorCode, Form, Grant, Opaque, Scope, TokenRequest,
        attestation::Client,
        authorization::{AuthorizationRequest, AuthorizationStart},
        dpop, pkce,
    },
    vci::issuer::{self, Caller, GrantError, Granted, Kept, KeptCode, KeptOffer, KeptRefresh, KeptRequest, Policy},
};

const OPEN: Policy = Policy {
    attested: false,
    dpop: false,
    anonymous: true,
};

fn client(id: &str, key: &str) -> Client {
    Client {
        client_id: id.into(),
        issuer: "https://wallet.example".into(),
        signer: Digest([0; 32]),
        key: super::world::public(1),
        thumbprint: key.into(),
        expires_at: NOW.plus(60),
        wallet_name: None,
        status: None,
        jti: "1".into(),
        until: NOW,
    }
}

fn proven(key: &str) -> dpop::Proven {
    dpop::Proven {
        key: super::world::public(1),
        thumbprint: key.into(),
        jti: "1".into(),
        until: NOW,
    }
}

fn ids() -> Vec<String> {
    vec![NAAT.into(), NAAT_JWT.into()]
}

fn decide(
    request: &TokenRequest,
    kept: Option<Kept<'_>>,
    caller: Caller<'_>,
    policy: Policy,
    now: Timestamp,
) -> Result<Granted, GrantError> {
    issuer::token(request, kept, caller, policy, &metadata(), now, &Native::new())
}

fn offered(tx_code: Option<&str>) -> TokenRequest {
    TokenRequest::new(Grant::PreAuthorized {
        code: Opaque::new("code"),
        tx_code: tx_code.map(Opaque::new),
    })
}

#[test]
fn a_pre_authorized_code_goes_with_its_transaction_code() {
    let (ids, code) = (ids(), Opaque::new("49353642"));
    let offer = KeptOffer {
        configurations: &ids,
        tx_code: Some(&code),
        attempts_left: 5,
        expires_at: NOW.plus(300),
        used: false,
    };
    let ask = |typed, offer| decide(&offered(typed), Some(Kept::Offer(offer)), Caller::default(), OPEN, NOW);
    assert_eq!(ask(Some("49353642"), offer).unwrap().configurations, ids);
    for (typed, offer, why, code) in [
        (
            Some("49353643"),
            offer,
            GrantError::TxCodeWrong,
            ErrorCode::InvalidGrant,
        ),
        (Some("4935364"), offer, GrantError::TxCodeWrong, ErrorCode::InvalidGrant),
        (None, offer, GrantError::TxCodeMissing, ErrorCode::InvalidRequest),
        (
            Some("1"),
            KeptOffer { tx_code: None, ..offer },
            GrantError::TxCodeUnexpected,
            ErrorCode::InvalidRequest,
        ),
        (
            Some("49353642"),
            KeptOffer {
                attempts_left: 0,
                ..offer
            },
            GrantError::Locked,
            ErrorCode::InvalidGrant,
        ),
        (
            Some("49353642"),
            KeptOffer { used: true, ..offer },
            GrantError::Used,
            ErrorCode::InvalidGrant,
        ),
        (
            Some("49353642"),
            KeptOffer {
                expires_at: NOW,
                ..offer
            },
            GrantError::Expired,
            ErrorCode::InvalidGrant,
        ),
    ] {
        assert_eq!(ask(typed, offer), Err(why));
        assert_eq!(why.code(), code);
    }
    let unknown = decide(&offered(None), None, Caller::default(), OPEN, NOW);
    assert_eq!(unknown, Err(GrantError::Unknown));
    let named = Policy {
        anonymous: false,
        ..OPEN
    };
    let anonymous = decide(
        &offered(Some("49353642")),
        Some(Kept::Offer(offer)),
        Caller::default(),
        named,
        NOW,
    );
    assert_eq!(anonymous, Err(GrantError::Anonymous));
}

#[test]
fn haip_wants_an_attested_client_and_a_key() {
    let (ids, wallet, dpop) = (ids(), client("wallet", "a"), proven("d"));
    let offer = Kept::Offer(KeptOffer {
        configurations: &ids,
        tx_code: None,
        attempts_left: 0,
        expires_at: NOW.plus(300),
        used: false,
    });
    let ask = |caller| decide(&offered(None), Some(offer), caller, Policy::HAIP, NOW);
    let both = Caller {
        client: Some(&wallet),
        dpop: Some(&dpop),
    };
    let granted = ask(both).unwrap();
    assert_eq!(
        (granted.jkt.as_deref(), granted.client_key.as_deref()),
        (Some("d"), Some("a"))
    );
    assert_eq!(ask(Caller { client: None, ..both }), Err(GrantError::ClientMissing));
    assert_eq!(ask(Caller { dpop: None, ..both }), Err(GrantError::DpopMissing));
    let other = TokenRequest {
        client_id: Some("other".into()),
        ..offered(None)
    };
    assert_eq!(
        decide(&other, Some(offer), both, Policy::HAIP, NOW),
        Err(GrantError::OtherClient)
    );
}

#[test]
fn a_code_goes_to_the_one_who_asked_for_it() {
    let (wallet, same_software, dpop, other_key) =
        (client("wallet", "a"), client("wallet", "b"), proven("d"), proven("e"));
    let granted = Granted {
        client_id: Some("wallet".into()),
        client_key: Some("a".into()),
        jkt: Some("d".into()),
        configurations: ids(),
        by_details: false,
    };
    let verifier = Opaque::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let challenge = pkce::Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
    let kept = KeptCode {
        granted: &granted,
        redirect_uri: "https://wallet.example/cb",
        code_challenge: &challenge,
        expires_at: NOW.plus(60),
        used: false,
    };
    let request = |verifier: Option<&Opaque>, uri: Option<&str>| {
        TokenRequest::new(Grant::AuthorizationCode {
            code: Opaque::new("code"),
            redirect_uri: uri.map(str::to_owned),
            code_verifier: verifier.cloned(),
        })
    };
    let good = request(Some(&verifier), Some("https://wallet.example/cb"));
    let both = Caller {
        client: Some(&wallet),
        dpop: Some(&dpop),
    };
    let ask = |request: &TokenRequest, kept, caller| decide(request, Some(Kept::Code(kept)), caller, Policy::HAIP, NOW);
    assert_eq!(ask(&good, kept, both).unwrap(), granted);

    let wrong = Opaque::new("xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let short = Opaque::new("dBjftJeZ4CVP");
    for (request, kept, caller, why) in [
        (
            request(Some(&wrong), Some(kept.redirect_uri)),
            kept,
            both,
            GrantError::Verifier,
        ),
        (
            request(Some(&short), Some(kept.redirect_uri)),
            kept,
            both,
            GrantError::Verifier,
        ),
        (
            request(None, Some(kept.redirect_uri)),
            kept,
            both,
            GrantError::VerifierMissing,
        ),
        (
            request(Some(&verifier), Some("https://wallet.example/other")),
            kept,
            both,
            GrantError::RedirectUri,
        ),
        (request(Some(&verifier), None), kept, both, GrantError::RedirectUri),
        (
            good.clone(),
            kept,
            Caller {
                client: Some(&same_software),
                ..both
            },
            GrantError::Unknown,
        ),
        (
            good.clone(),
            kept,
            Caller {
                dpop: Some(&other_key),
                ..both
            },
            GrantError::DpopKey,
        ),
        (good.clone(), KeptCode { used: true, ..kept }, both, GrantError::Used),
        (
            good.clone(),
            KeptCode {
                expires_at: NOW,
                ..kept
            },
            both,
            GrantError::Expired,
        ),
    ] {
        assert_eq!(ask(&request, kept, caller), Err(why));
    }
    let crossed = decide(&offered(None), Some(Kept::Code(kept)), both, Policy::HAIP, NOW);
    assert_eq!(crossed, Err(GrantError::Unknown));

    let kept = KeptRefresh {
        granted: &granted,
        expires_at: NOW.plus(60),
        used: false,
    };
    let refresh = TokenRequest::new(Grant::Refresh(Opaque::new("token")));
    let ask = |kept, caller| decide(&refresh, Some(Kept::Refresh(kept)), caller, Policy::HAIP, NOW);
    assert_eq!(ask(kept, both).unwrap(), granted);
    assert_eq!(
        ask(
            kept,
            Caller {
                dpop: Some(&other_key),
                ..both
            }
        ),
        Err(GrantError::DpopKey)
    );
    assert_eq!(
        ask(
            kept,
            Caller {
                client: Some(&same_software),
                ..both
            }
        ),
        Err(GrantError::Unknown)
    );
    assert_eq!(ask(KeptRefresh { used: true, ..kept }, both), Err(GrantError::Used));
}

#[test]
fn less_can_be_asked_for_but_not_more() {
    let one = vec![NAAT.to_owned()];
    let offer = Kept::Offer(KeptOffer {
        configurations: &one,
        tx_code: None,
        attempts_left: 0,
        expires_at: NOW.plus(300),
        used: false,
    });
    let ask = |request: &TokenRequest| decide(request, Some(offer), Caller::default(), OPEN, NOW);
    let details = |id: &str| TokenRequest {
        authorization_details: Some(vec![AuthorizationDetail::new(id)]),
        ..offered(None)
    };
    let scope = |scope: &str| TokenRequest {
        scope: Scope::parse(scope),
        ..offered(None)
    };
    assert!(ask(&details(NAAT)).unwrap().by_details);
    assert_eq!(ask(&scope("naat unknown")).unwrap().configurations, one);
    assert_eq!(ask(&details(NAAT_JWT)), Err(GrantError::Details));
    assert_eq!(ask(&details("unknown")), Err(GrantError::Details));
    assert_eq!(ask(&scope("unknown")), Err(GrantError::Scope));
    let elsewhere = TokenRequest {
        resource: Some("https://other.example".into()),
        ..offered(None)
    };
    assert_eq!(ask(&elsewhere), Err(GrantError::Target));
}

#[test]
fn a_pushed_request_is_kept_for_the_one_who_may_be_answered() {
    let form = |more: &str| {
        let text = format!(
            "response_type=code&client_id=wallet&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
             &code_challenge_method=S256&redirect_uri=https://wallet.example/cb{more}"
        );
        let form = Form::parse(text.as_bytes()).unwrap();
        AuthorizationRequest::parse(&form, &super::world::issuer(), false).unwrap()
    };
    let may = |client: &str, uri: &str| (client, uri) == ("wallet", "https://wallet.example/cb");
    let (wallet, dpop) = (
        client("wallet", "a"),
        proven("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    );
    let (other_client, other_key) = (client("other", "a"), proven("x"));
    let attested = Caller {
        client: Some(&wallet),
        dpop: None,
    };
    let ask = |request: &AuthorizationRequest, caller| issuer::pushed(request, caller, Policy::HAIP, &metadata(), &may);
    let jkt = "&dpop_jkt=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let granted = ask(&form(&format!("&scope=naat%20unknown{jkt}")), attested).unwrap();
    assert_eq!(granted.configurations, ids());
    assert_eq!(
        (granted.jkt.as_deref(), granted.client_key.as_deref()),
        (Some(&jkt[10..]), Some("a"))
    );
    let proved = Caller {
        dpop: Some(&dpop),
        ..attested
    };
    assert_eq!(ask(&form("&scope=naat"), proved).unwrap().jkt, granted.jkt);
    let details =
        format!(r#"&authorization_details=[{{"type":"openid_credential","credential_configuration_id":"{NAAT}"}}]"#);
    let by_details = ask(&form(&details), attested).unwrap();
    assert!(by_details.by_details && by_details.configurations == [NAAT]);

    let elsewhere = issuer::pushed(&form("&scope=naat"), attested, Policy::HAIP, &metadata(), &|_, _| false);
    assert_eq!(elsewhere, Err(GrantError::RedirectUri));
    for (more, caller, why, code) in [
        (
            "&scope=naat",
            Caller::default(),
            GrantError::ClientMissing,
            ErrorCode::InvalidClient,
        ),
        (
            "&scope=naat",
            Caller {
                client: Some(&other_client),
                dpop: None,
            },
            GrantError::OtherClient,
            ErrorCode::InvalidClient,
        ),
        (
            &format!("&scope=naat{jkt}"),
            Caller {
                dpop: Some(&other_key),
                ..attested
            },
            GrantError::DpopKey,
            ErrorCode::InvalidDpopProof,
        ),
        ("", attested, GrantError::Scope, ErrorCode::InvalidScope),
        ("&scope=unknown", attested, GrantError::Scope, ErrorCode::InvalidScope),
        (
            &details.replace(NAAT, "unknown"),
            attested,
            GrantError::Details,
            ErrorCode::InvalidAuthorizationDetails,
        ),
        (
            "&scope=naat&resource=https://other.example",
            attested,
            GrantError::Target,
            ErrorCode::InvalidTarget,
        ),
    ] {
        assert_eq!(ask(&form(more), caller), Err(why), "{more}");
        assert_eq!(why.code(), code);
    }
}

#[test]
fn a_browser_goes_on_once_and_in_time_with_the_clients_own_request() {
    let start = AuthorizationStart {
        client_id: "wallet".into(),
        request: Opaque::new("name"),
    };
    let kept = KeptRequest {
        client_id: "wallet",
        expires_at: NOW.plus(60),
        used: false,
    };
    assert!(issuer::start(&start, Some(kept), NOW.plus(59)).is_ok());
    for (kept, now) in [
        (None, NOW),
        (
            Some(KeptRequest {
                client_id: "other",
                ..kept
            }),
            NOW,
        ),
        (Some(KeptRequest { used: true, ..kept }), NOW),
        (Some(kept), NOW.plus(60)),
    ] {
        assert_eq!(issuer::start(&start, kept, now), Err(GrantError::RequestUri));
    }
    assert_eq!(GrantError::RequestUri.code(), ErrorCode::InvalidRequestUri);
}
