//! Every message of the protocol, as `vectors/vci/messages.json` has it: examples of the specification, and what must be refused.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use vidimus_openid4vc::{
    oauth::{
        ErrorResponse, Form, Identifier, ServerMetadata, TokenRequest, TokenResponse,
        authorization::{AuthorizationRequest, PushedResponse},
    },
    vci::{
        CredentialOffer, CredentialRequest, CredentialResponse, DeferredRequest, IssuerMetadata, NonceResponse,
        Notification, OfferLink,
        offer::{InputMode, TxCode},
    },
};

#[derive(Deserialize)]
struct File {
    accept: Vec<Vector>,
    reject: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    kind: String,
    #[serde(rename = "says")]
    _says: Option<String>,
    text: Option<String>,
    repeat: Option<Repeat>,
    json: Option<Value>,
    issuer: Option<Identifier>,
    /// Accepted: what is written is what was read.
    #[serde(default)]
    written: bool,
    configurations: Option<Vec<String>>,
    tx_code: Option<Value>,
    reference: Option<String>,
    identifiers: Option<Vec<String>>,
    interval: Option<u32>,
    /// Refused: the specification's code.
    error: Option<String>,
}

#[derive(Deserialize)]
struct Repeat {
    unit: String,
    times: usize,
}

impl Vector {
    fn input(&self) -> String {
        let tail = self.repeat.as_ref().map(|repeat| repeat.unit.repeat(repeat.times));
        match (&self.text, &self.json) {
            (Some(text), None) => format!("{text}{}", tail.unwrap_or_default()),
            (None, Some(json)) => json.to_string(),
            _ => panic!("{} has one of text and json", self.name),
        }
    }
}

/// What was written again, or the code that it was refused with (empty where the specification has none).
type Outcome = Result<Option<String>, &'static str>;

fn other(_: impl std::error::Error) -> &'static str {
    ""
}

fn read(vector: &Vector) -> Outcome {
    let text = vector.input();
    let bytes = text.as_bytes();
    let issuer = || vector.issuer.clone().unwrap();
    let credential_issuer: Identifier = "https://credential-issuer.example.com".parse().unwrap();
    match vector.kind.as_str() {
        "issuer_metadata" => {
            let metadata = IssuerMetadata::parse(bytes, &issuer()).map_err(other)?;
            let ids = metadata
                .credential_configurations_supported
                .iter()
                .map(|(id, _)| id.to_owned());
            assert_eq!(Some(ids.collect::<Vec<_>>()), vector.configurations, "{}", vector.name);
            Ok(Some(metadata.to_json()))
        }
        "server_metadata" => {
            let metadata = ServerMetadata::parse(bytes, &issuer()).map_err(other)?;
            Ok(serde_json::to_string(&metadata).ok())
        }
        "offer" => {
            let offer = CredentialOffer::parse(bytes).map_err(other)?;
            if let Some(wanted) = &vector.tx_code {
                let code = offer.pre_authorized().unwrap().tx_code.as_ref().unwrap();
                assert_eq!(wanted["length"].as_u64(), code.length.map(u64::from));
                assert_eq!(wanted["input_mode"], serde_json::to_value(code.input_mode).unwrap());
            }
            Ok(Some(offer.to_json()))
        }
        "offer_link" => {
            let reference = match OfferLink::parse(&text).map_err(other)? {
                OfferLink::Value(_) => None,
                OfferLink::Reference(location) => Some(location.to_string()),
            };
            assert_eq!(reference, vector.reference);
            Ok(None)
        }
        "pushed_request" => {
            let form = Form::parse(bytes).map_err(|_| "invalid_request")?;
            let request = AuthorizationRequest::parse(&form, &credential_issuer, false);
            let request = request.map_err(|error| error.code().name())?;
            let again = AuthorizationRequest::parse(&request.to_form(), &credential_issuer, false);
            assert_eq!(again.unwrap(), request);
            Ok(None)
        }
        "token_request" => {
            let form = Form::parse(bytes).map_err(|_| "invalid_request")?;
            let request = TokenRequest::parse(&form, &credential_issuer, false);
            let request = request.map_err(|error| error.code().name())?;
            assert_eq!(
                TokenRequest::parse(&request.to_form(), &credential_issuer, false).unwrap(),
                request
            );
            Ok(None)
        }
        "token_response" => {
            let response = TokenResponse::parse(bytes).map_err(other)?;
            let details = response.authorization_details.iter().flatten();
            let named: Vec<String> = details
                .flat_map(|one| one.credential_identifiers.clone().unwrap())
                .collect();
            assert_eq!(Some(named), vector.identifiers);
            Ok(Some(response.to_json()))
        }
        "credential_request" => CredentialRequest::parse(bytes)
            .map(|request| Some(request.to_json()))
            .map_err(|error| error.code().name()),
        "deferred_request" => DeferredRequest::parse(bytes)
            .map(|request| Some(request.to_json()))
            .map_err(|error| error.code().name()),
        "credential_response" => {
            let response = CredentialResponse::parse(bytes).map_err(other)?;
            if let CredentialResponse::Deferred { interval, .. } = response {
                assert_eq!(Some(interval), vector.interval);
            }
            Ok(Some(response.to_json()))
        }
        "notification" => Notification::parse(bytes)
            .map(|notification| Some(notification.to_json()))
            .map_err(|error| error.code().name()),
        "nonce_response" => {
            let response = NonceResponse::parse(bytes).map_err(other)?;
            Ok(serde_json::to_string(&response).ok())
        }
        "error_response" => {
            let response = ErrorResponse::parse(bytes).map_err(other)?;
            Ok(serde_json::to_string(&response).ok())
        }
        "pushed_response" => {
            let response = PushedResponse::parse(bytes).map_err(other)?;
            Ok(serde_json::to_string(&response).ok())
        }
        unknown => panic!("{unknown} is no kind of message"),
    }
}

fn vectors() -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/vci/messages.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn messages_that_are_in_order_are_read() {
    for vector in vectors().accept {
        let name = format!("{} {}", vector.kind, vector.name);
        let written = read(&vector).unwrap_or_else(|code| panic!("{name} was refused: {code}"));
        if vector.written {
            let written: Value = serde_json::from_str(&written.expect("this kind is written too")).unwrap();
            assert_eq!(Some(written), vector.json, "{name}");
        }
    }
}

#[test]
fn messages_that_are_not_in_order_are_refused() {
    let vectors = vectors();
    assert!(vectors.reject.len() > 2 * vectors.accept.len());
    for vector in vectors.reject {
        let name = format!("{} {}", vector.kind, vector.name);
        match read(&vector) {
            Ok(_) => panic!("{name} was read"),
            Err(code) => assert_eq!(code, vector.error.as_deref().unwrap_or_default(), "{name}"),
        }
    }
}

#[test]
fn what_a_person_types_is_looked_at_before_it_is_sent() {
    let digits = TxCode {
        length: Some(4),
        ..TxCode::default()
    };
    let text = TxCode {
        input_mode: InputMode::Text,
        ..TxCode::default()
    };
    assert!(digits.fits("0123") && text.fits("ä b") && TxCode::default().fits("1"));
    for typed in ["", "012", "01234", "012a", "٠١٢٣"] {
        assert!(!digits.fits(typed), "{typed}");
    }
    assert!(!text.fits("") && !TxCode::default().fits("a"));
}

proptest! {
    /// A message with one byte changed is read or refused, and never a panic; nor is it when it is taken for another kind of message.
    #[test]
    fn reading_what_was_tampered_with_never_panics(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let file = vectors();
        let vector = which.get(&file.accept);
        let mut bytes = vector.input().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let issuer = vector.issuer.clone().unwrap_or_else(|| "https://a.example".parse().unwrap());
        read_as_anything(&bytes, &issuer);
    }
}

fn read_as_anything(bytes: &[u8], issuer: &Identifier) {
    let text = String::from_utf8_lossy(bytes);
    let form = Form::parse(bytes).ok();
    let _ = (
        IssuerMetadata::parse(bytes, issuer).is_ok(),
        ServerMetadata::parse(bytes, issuer).is_ok(),
        CredentialOffer::parse(bytes).is_ok(),
        OfferLink::parse(&text).is_ok(),
        form.as_ref()
            .map(|form| AuthorizationRequest::parse(form, issuer, true).is_ok()),
        form.as_ref()
            .map(|form| TokenRequest::parse(form, issuer, true).is_ok()),
        TokenResponse::parse(bytes).is_ok(),
        CredentialRequest::parse(bytes).is_ok(),
        DeferredRequest::parse(bytes).is_ok(),
        CredentialResponse::parse(bytes).is_ok(),
        Notification::parse(bytes).is_ok(),
    );
}
