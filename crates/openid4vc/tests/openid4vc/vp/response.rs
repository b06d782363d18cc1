//! What the airline refuses of what is posted to it.

use super::world::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::Encryption as _;
use vidimus_crypto::{Native, OsEntropy};
use vidimus_openid4vc::{
    dcql::AnswerError,
    jwe::{self, ContentEncryption, JweError, Parameters, PrivateKey, Recipient},
    oauth::{Form, FormError},
    vp::*,
};

fn encrypted(key: &Recipient, content: &Value) -> String {
    let text = content.to_string();
    let parameters = Parameters::default();
    let native = Native::new();
    let jwe = jwe::encrypt(
        key,
        ContentEncryption::A128Gcm,
        &parameters,
        text.as_bytes(),
        &native,
        &mut OsEntropy,
    );
    Form::new().with("response", &jwe.unwrap()).encode()
}

fn recipient(session: &Session) -> Recipient {
    Recipient {
        key: session.encryption_key.clone().unwrap(),
        kid: session.kid.clone(),
    }
}

struct Sessions {
    world: World,
    one: (Session, Option<PrivateKey>),
    other: (Session, Option<PrivateKey>),
}

fn sessions(mode: ResponseMode) -> Sessions {
    let world = World {
        policy: Policy::open(),
        ..World::new()
    };
    let ask = Ask {
        response_mode: mode,
        ..ask()
    };
    Sessions {
        one: world.open(ask.clone()),
        other: world.open(ask),
        world,
    }
}

impl Sessions {
    fn read(&self, body: &str) -> Result<Answer, ResponseError> {
        let (session, private) = &self.one;
        Posted::parse(body.as_bytes())?.read(session, private.as_ref(), NOW.plus(10), &self.world.native)
    }
}

#[test]
fn encrypted_responses() {
    let sessions = sessions(ResponseMode::DirectPostJwt);
    let (session, private) = &sessions.one;
    let (other, _) = &sessions.other;
    let good = json!({"vp_token": {"test": ["eyJ~"]}, "state": session.state});
    let ours = recipient(session);
    let with = |name: &str, value: Value| {
        let mut content = good.clone();
        content[name] = value;
        encrypted(&ours, &content)
    };
    assert_eq!(sessions.read(&encrypted(&ours, &good)), Ok(Answer::Presented(token())));
    // Without a state, the session's own key says which request is answered (`@digitalbazaar/oid4-client` leaves it out).
    let silent = json!({"vp_token": {"test": ["eyJ~"]}});
    assert_eq!(
        sessions.read(&encrypted(&ours, &silent)),
        Ok(Answer::Presented(token()))
    );
    // The state beside the JWE serves where there is none inside.
    let bare = json!({"vp_token": {"test": ["eyJ~"]}});
    let beside = format!("{}&state={}", encrypted(&ours, &bare), session.state);
    assert_eq!(sessions.read(&beside), Ok(Answer::Presented(token())));

    let wrong_kid = Recipient {
        kid: other.kid.clone(),
        ..ours.clone()
    };
    let no_kid = Recipient {
        kid: None,
        ..ours.clone()
    };
    let wrong_key = Recipient {
        key: other.encryption_key.clone().unwrap(),
        ..ours.clone()
    };
    let token = |error| ResponseError::Token(error);
    for (name, body, error) in [
        (
            "another session's state",
            with("state", json!(other.state)),
            ResponseError::State,
        ),
        ("state a number", with("state", json!(1)), ResponseError::State),
        (
            "another state outside",
            format!("{}&state={}", encrypted(&ours, &good), other.state),
            ResponseError::State,
        ),
        (
            "to another session",
            encrypted(&recipient(other), &good),
            ResponseError::OtherKey,
        ),
        ("another kid", encrypted(&wrong_kid, &good), ResponseError::OtherKey),
        ("no kid", encrypted(&no_kid, &good), ResponseError::OtherKey),
        (
            "another key",
            encrypted(&wrong_key, &good),
            ResponseError::Jwe(JweError::Open),
        ),
        (
            "a token and an error",
            with("error", json!("access_denied")),
            ResponseError::Empty,
        ),
        (
            "no token",
            encrypted(&ours, &json!({"state": session.state})),
            ResponseError::Empty,
        ),
        (
            "error a number",
            encrypted(&ours, &json!({"state": session.state, "error": 1})),
            ResponseError::Empty,
        ),
        (
            "a text",
            encrypted(&ours, &json!("x")),
            ResponseError::Json(vidimus_credential::json::JsonError::NotAnObject),
        ),
        ("token a text", with("vp_token", json!("eyJ~")), token(TokenError::Form)),
        (
            "token a list",
            with("vp_token", json!(["eyJ~"])),
            token(TokenError::Form),
        ),
        (
            "no list",
            with("vp_token", json!({"test": "eyJ~"})),
            token(TokenError::Form),
        ),
        (
            "an empty list",
            with("vp_token", json!({"test": []})),
            token(TokenError::Form),
        ),
        (
            "an empty text",
            with("vp_token", json!({"test": [""]})),
            token(TokenError::Form),
        ),
        (
            "a number",
            with("vp_token", json!({"test": [1]})),
            token(TokenError::Form),
        ),
        (
            "too many",
            with("vp_token", json!({"test": vec!["x"; 257]})),
            token(TokenError::TooMany),
        ),
        (
            "two",
            with("vp_token", json!({"test": ["x", "y"]})),
            token(TokenError::Answer(AnswerError::NotMultiple("test".into()))),
        ),
        (
            "not asked for",
            with("vp_token", json!({"other": ["x"]})),
            token(TokenError::Answer(AnswerError::Unknown)),
        ),
        (
            "beside what is asked for",
            with("vp_token", json!({"test": ["x"], "other": ["x"]})),
            token(TokenError::Answer(AnswerError::Unknown)),
        ),
        (
            "nothing",
            with("vp_token", json!({})),
            token(TokenError::Answer(AnswerError::Missing("test".into()))),
        ),
        (
            "in plain text",
            Form::new()
                .with("vp_token", r#"{"test":["eyJ~"]}"#)
                .with("state", &session.state)
                .encode(),
            ResponseError::Mode,
        ),
    ] {
        assert_eq!(sessions.read(&body), Err(error), "{name}");
    }
    let posted = Posted::parse(encrypted(&ours, &good).as_bytes()).unwrap();
    let native = &sessions.world.native;
    let at = |seconds: i64| posted.read(session, private.as_ref(), NOW.plus(seconds), native);
    assert!(at(0).is_ok() && at(299).is_ok());
    assert_eq!(at(300), Err(ResponseError::Expired));
    assert_eq!(at(-61), Err(ResponseError::Expired));
    assert_eq!(posted.read(session, None, NOW, native), Err(ResponseError::Mode));
    assert_eq!(
        posted.read(other, sessions.other.1.as_ref(), NOW, native),
        Err(ResponseError::OtherKey)
    );
}

/// §5.3: a presentation that is not bound to the nonce needs the state.
#[test]
fn without_holder_binding_the_state_comes_back() {
    let mut credential = vidimus_openid4vc::dcql::Credential::sd_jwt_vc("test", ["urn:vidimus:test"]);
    credential.holder_binding = false;
    let world = World::new();
    let (session, private) = world.open(Ask {
        query: vidimus_openid4vc::dcql::Query::new(vec![credential], Vec::new()).unwrap(),
        ..ask()
    });
    let read = |content: Value| {
        let posted = world.posted(&encrypted(&recipient(&session), &content));
        posted.read(&session, private.as_ref(), NOW, &world.native)
    };
    let vp_token = json!({"test": ["eyJ~"]});
    assert_eq!(
        read(json!({"vp_token": vp_token, "state": session.state})),
        Ok(Answer::Presented(token()))
    );
    assert_eq!(read(json!({"vp_token": vp_token})), Err(ResponseError::State));
    assert_eq!(
        read(json!({"vp_token": vp_token, "state": session.nonce})),
        Err(ResponseError::State)
    );
}

#[test]
fn plain_responses() {
    let sessions = sessions(ResponseMode::DirectPost);
    let state = &sessions.one.0.state;
    let form = |token: &str, state: &str| Form::new().with("vp_token", token).with("state", state).encode();
    let good = r#"{"test":["eyJ~"]}"#;
    assert_eq!(sessions.read(&form(good, state)), Ok(Answer::Presented(token())));
    let key = jwe::generate_key(&sessions.world.native, &mut OsEntropy).unwrap();
    let key = Recipient {
        key: sessions.world.native.p256_public(&key).unwrap(),
        kid: None,
    };
    for (name, body, error) in [
        (
            "no state",
            Form::new().with("vp_token", good).encode(),
            ResponseError::State,
        ),
        (
            "another state",
            form(good, &sessions.other.0.state),
            ResponseError::State,
        ),
        ("encrypted", encrypted(&key, &json!({})), ResponseError::Mode),
        (
            "not JSON",
            form("{", state),
            ResponseError::Json(vidimus_credential::json::JsonError::Syntax),
        ),
        (
            "a query answered twice",
            form(r#"{"test":["x"],"test":["y"]}"#, state),
            ResponseError::Json(vidimus_credential::json::JsonError::Duplicate),
        ),
        ("nothing", String::new(), ResponseError::Empty),
        ("only a state", format!("state={state}"), ResponseError::Empty),
        (
            "two answers",
            format!("{}&error=access_denied", form(good, state)),
            ResponseError::Empty,
        ),
        ("an empty error", format!("error=&state={state}"), ResponseError::Empty),
        (
            "an error with quotes",
            format!("error=%22&state={state}"),
            ResponseError::Empty,
        ),
        (
            "an error for nobody",
            "error=access_denied".into(),
            ResponseError::State,
        ),
        (
            "an error for another",
            format!("error=access_denied&state={}", sessions.other.0.state),
            ResponseError::State,
        ),
        (
            "a parameter twice",
            format!("{0}&{0}", form(good, state)),
            ResponseError::Form(FormError::Duplicate),
        ),
        ("not a JWE", "response=eyJ".into(), ResponseError::Jwe(JweError::Parts)),
        (
            "too much",
            "a".repeat(MAX_RESPONSE + 1),
            ResponseError::Form(FormError::TooLarge),
        ),
    ] {
        assert_eq!(sessions.read(&body), Err(error), "{name}");
    }
}

#[test]
fn requests_that_are_not_made() {
    let world = World::new();
    let refused = |change: fn(&mut Ask)| {
        let mut ask = ask();
        change(&mut ask);
        world.try_open(ask).map(drop).unwrap_err()
    };
    assert_eq!(refused(|ask| ask.lifetime = 59), AskError::Lifetime);
    assert_eq!(refused(|ask| ask.lifetime = 301), AskError::Lifetime);
    assert_eq!(
        refused(|ask| ask.response_mode = ResponseMode::DirectPost),
        AskError::NotEncrypted
    );
    assert_eq!(
        refused(|ask| ask.response_uri = endpoint("https://other.example.org/")),
        AskError::ResponseHost
    );
    assert_eq!(
        refused(|ask| ask.response_uri = endpoint("http://localhost/")),
        AskError::Host(HostError::Loopback)
    );
    assert_eq!(
        refused(
            |ask| ask.transaction_data = vec![TransactionData::new("pay", &["other"], &Default::default()).unwrap()]
        ),
        AskError::Transaction(TransactionError::Credential)
    );
    assert_eq!(
        refused(
            |ask| ask.transaction_data = vec![TransactionData::new("pay", &["test"], &Default::default()).unwrap(); 17]
        ),
        AskError::TooMany
    );
    assert_eq!(
        refused(|ask| {
            ask.verifier_info = vec![VerifierInfo {
                format: "jwt".into(),
                data: json!("x"),
                credential_ids: Some(vec!["other".into()]),
            }];
        }),
        AskError::VerifierInfo
    );
    assert_eq!(
        refused(|ask| ask.formats = Formats::from_json(&json!({"mso_mdoc": {}})).unwrap()),
        AskError::Formats
    );
    let native = &world.native;
    let open = |client: &Client, policy: &Policy| {
        Session::open(ask(), client, policy, NOW, native, &mut OsEntropy)
            .map(drop)
            .unwrap_err()
    };
    let named = Client::x509_san_dns(HOST, vec![world.leaf.clone()]).unwrap();
    assert_eq!(open(&named, &Policy::haip()), AskError::Prefix(Prefix::X509SanDns));
    let elsewhere = Client::redirect_uri(endpoint("https://airline.example.org/other"));
    assert_eq!(open(&elsewhere, &all_prefixes()), AskError::OtherUri);
    let root = world.authority.certificate().to_vec();
    assert!(Client::x509_hash(vec![root.clone()], native).is_err());
    assert!(
        Client::x509_hash(vec![world.leaf.clone(), root], native).is_err(),
        "no trust anchor"
    );
    assert!(Client::x509_hash(Vec::new(), native).is_err());
    assert!(Client::x509_san_dns("other.example.org", vec![world.leaf.clone()]).is_err());
    assert!(Client::did("did:web:a", "did:web:b#k").is_err());
}

#[test]
fn request_objects_that_are_not_given_out() {
    let world = World::new();
    let (session, _) = world.open(ask());
    let give = |client: &Client, post: &RequestUriPost, seconds: i64| {
        let signer = (&world.key as &dyn vidimus_core::Signer, vidimus_core::Algorithm::Es256);
        session
            .request_object(client, signer, post, NOW.plus(seconds), &world.native, &mut OsEntropy)
            .map(drop)
    };
    let nothing = RequestUriPost::default();
    assert_eq!(give(&world.client, &nothing, 299), Ok(()));
    assert_eq!(give(&world.client, &nothing, 300), Err(AskError::Expired));
    assert_eq!(give(&World::new().client, &nothing, 0), Err(AskError::OtherClient));
    let says = |metadata: Value| RequestUriPost {
        wallet_nonce: None,
        metadata: WalletMetadata::from_json(&metadata).unwrap(),
    };
    for (metadata, what) in [
        (
            json!({"client_id_prefixes_supported": ["x509_san_dns"]}),
            "the client identifier prefix",
        ),
        (
            json!({"request_object_signing_alg_values_supported": ["ES384"]}),
            "the signature algorithm",
        ),
        (json!({"vp_formats_supported": {"mso_mdoc": {}}}), "any of the formats"),
    ] {
        assert_eq!(
            give(&world.client, &says(metadata), 0),
            Err(AskError::Unsupported(what))
        );
    }
    let key = recipient(&session).to_jwk();
    let metadata =
        json!({"jwks": {"keys": [key]}, "request_object_encryption_enc_values_supported": ["A128CBC-HS256"]});
    assert_eq!(
        give(&world.client, &says(metadata), 0),
        Err(AskError::Encrypt(JweError::Encryption))
    );
    let mut ask = ask();
    ask.response_mode = ResponseMode::DirectPost;
    let client = Client::redirect_uri(ask.response_uri.clone());
    let (session, _) = Session::open(ask, &client, &all_prefixes(), NOW, &world.native, &mut OsEntropy).unwrap();
    let signer = (&world.key as &dyn vidimus_core::Signer, vidimus_core::Algorithm::Es256);
    assert_eq!(
        session.request_object(&client, signer, &nothing, NOW, &world.native, &mut OsEntropy),
        Err(AskError::Unsigned)
    );
}

#[test]
fn what_wallets_post_for_a_request_is_read_or_refused() {
    let long = "n".repeat(513);
    for (body, error) in [
        ("wallet_nonce=a%20b".to_owned(), AskError::WalletNonce),
        (format!("wallet_nonce={long}"), AskError::WalletNonce),
        (
            "wallet_metadata=x".into(),
            AskError::Metadata(MetadataError::Form("wallet_metadata")),
        ),
        (
            "wallet_metadata=[]".into(),
            AskError::Metadata(MetadataError::Form("wallet_metadata")),
        ),
        (
            "wallet_metadata={\"vp_formats_supported\":[]}".into(),
            AskError::Metadata(MetadataError::Form("vp_formats_supported")),
        ),
        (
            "wallet_metadata={\"client_id_prefixes_supported\":[]}".into(),
            AskError::Metadata(MetadataError::Form("client_id_prefixes_supported")),
        ),
        (
            "wallet_metadata={\"jwks\":{\"keys\":[{\"kid\":\"1\",\"kty\":\"RSA\"}]}}".into(),
            AskError::Metadata(MetadataError::Key),
        ),
        (
            "wallet_nonce=a&wallet_nonce=b".into(),
            AskError::Parameters(FormError::Duplicate),
        ),
    ] {
        assert_eq!(RequestUriPost::parse(body.as_bytes()), Err(error), "{body}");
    }
    let keyed = r#"wallet_metadata={"jwks":{"keys":[{"kty":"EC","crv":"P-256","alg":"ECDH-ES","x":"YO4epjifD-KWeq1sL2tNmm36BhXnkJ0He-WqMYrp9Fk","y":"Hekpm0zfK7C-YccH5iBjcIXgf6YdUvNUac_0At55Okk"}]}}"#;
    let post = RequestUriPost::parse(keyed.as_bytes()).unwrap();
    assert_eq!(
        post.metadata.recipient.unwrap().kid,
        None,
        "a wallet need not name its one key"
    );
    assert_eq!(post.metadata.encryptions, [ContentEncryption::A128Gcm]);
    // Parameters where the metadata should be, as one library sends them, are not known and ignored.
    let bare = RequestUriPost::parse(b"vp_formats_supported=%7B%7D").unwrap();
    assert_eq!(bare, RequestUriPost::default());
    // §5.10's own example.
    let example = "wallet_metadata=%7B%22vp_formats_supported%22%3A%7B%22dc%2Bsd-jwt%22%3A%7B%22sd-jwt_alg_values%22%3A%20%5B%22ES256%22%5D%2C%22kb-jwt_alg_values%22%3A%20%5B%22ES256%22%5D%7D%7D%7D&wallet_nonce=qPmxiNFCR3QTm19POc8u";
    let post = RequestUriPost::parse(example.as_bytes()).unwrap();
    assert_eq!(post.wallet_nonce.as_deref(), Some("qPmxiNFCR3QTm19POc8u"));
    let formats = post.metadata.formats.unwrap();
    let allows = |name| formats.allows("dc+sd-jwt", "kb-jwt_alg_values", name);
    assert!(allows(vidimus_core::Algorithm::Es256) && !allows(vidimus_core::Algorithm::Es256k));
    assert!(!formats.supports("jwt_vc_json"));
}

proptest! {
    #[test]
    fn any_post_for_a_request_is_read_or_refused(body in "(wallet_nonce|wallet_metadata|x)=[a-zA-Z0-9%.{}\\[\\]\":,_]{0,60}(&wallet_nonce=[!-~]{0,20})?|\\PC{0,60}") {
        if let Ok(post) = RequestUriPost::parse(body.as_bytes()) {
            let again = RequestUriPost::parse(post.encode().as_bytes()).unwrap();
            prop_assert_eq!(again.wallet_nonce, post.wallet_nonce);
        }
    }

    #[test]
    fn any_body_is_read_or_refused(body in "(vp_token|state|error|response|x)=[a-zA-Z0-9%.{}\\[\\]\":]{0,40}(&(vp_token|state|error)=[a-z%\"{}]{0,20}){0,3}|\\PC{0,60}") {
        if let Ok(posted) = Posted::parse(body.as_bytes()) {
            let sessions = sessions(ResponseMode::DirectPost);
            let answer = posted.read(&sessions.one.0, None, NOW, &sessions.world.native);
            prop_assert!(answer.is_err(), "nobody guesses a state");
        }
    }
}
