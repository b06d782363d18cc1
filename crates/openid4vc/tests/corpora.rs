//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/openid4vc.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use serde_json::{Value, json};
use vidimus_openid4vc::{
    dcql::{Query, limit},
    jwe::Jwe,
    vp::{Invocation, MAX_RESPONSE, Posted, Request},
};

#[test]
fn the_corpus_of_identity_is_what_makes_it() {
    let claims = |change: &dyn Fn(&mut Value)| {
        let details = json!({"type": "passport", "document_number": "P1234567", "issuer": {"country_code": "AUT"}});
        let mut claims = json!({
            "iss": "https://id.example", "aud": "vidimus", "nonce": "n", "iat": 1_772_352_900, "exp": 1_772_353_500, "auth_time": 1_772_352_880,
            "verified_claims": {
                "verification": {"trust_framework": "eidas", "evidence": [{"type": "document", "document_details": details}]},
                "claims": {"birthdate": "1998-02-26"},
            },
        });
        change(&mut claims);
        claims.to_string().into_bytes()
    };
    run::seeds(
        "identity",
        |data| fuzz::named(data).is_some(),
        &[
            ("whole", claims(&|_| {})),
            (
                "several",
                claims(&|claims| {
                    let one = claims["verified_claims"].take();
                    claims["verified_claims"] =
                        json!([{"verification": {"trust_framework": "de_aml"}, "claims": {}}, one]);
                }),
            ),
            ("azp", claims(&|claims| claims["azp"] = "vidimus".into())),
        ],
        &[
            (
                "answer",
                br#"{"access_token": "a", "token_type": "Bearer", "id_token": "x.y.z"}"#.to_vec(),
            ),
            ("old", claims(&|claims| claims["iat"] = 1.into())),
            ("nonce", claims(&|claims| claims["nonce"] = "m".into())),
            (
                "framework",
                claims(&|claims| claims["verified_claims"]["verification"]["trust_framework"] = "x".into()),
            ),
            (
                "birth-date",
                claims(&|claims| claims["verified_claims"]["claims"] = json!({})),
            ),
            (
                "number",
                claims(&|claims| {
                    claims["verified_claims"]["verification"]["evidence"][0]["document_details"]["document_number"] =
                        7.into()
                }),
            ),
        ],
    );
}

#[test]
fn the_corpus_of_dcql_is_what_makes_it() {
    let one = |more: Value| {
        let mut credential = json!({"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}});
        credential
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        credential
    };
    let query = |credentials: Value| json!({ "credentials": credentials }).to_string().into_bytes();
    let whole = json!({
        "credentials": [
            one(json!({
                "claims": [
                    {"id": "n", "path": ["name"], "values": ["Jo"]},
                    {"id": "l", "path": ["doses", null, "lot"], "values": ["A", 1, true]},
                    {"id": "c", "path": ["nationalities", 1]},
                ],
                "claim_sets": [["n", "l"], ["c"]],
                "trusted_authorities": [{"type": "guild", "values": ["g"]}],
            })),
            {"id": "b", "format": "jwt_vc_json", "meta": {"type_values": [["IDCredential"]]}, "claims": [{"path": ["credentialSubject", "given_name"]}]},
            {"id": "c", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}, "claims": [{"path": ["org.iso.18013.5.1", "given_name"]}]},
        ],
        "credential_sets": [{"options": [["a"], ["b", "c"]]}, {"options": [["c"]], "required": false}],
    });
    let whole = whole.to_string();
    run::seeds(
        "dcql",
        |data| Query::parse(data).is_ok(),
        &[
            ("whole", whole.clone().into()),
            (
                "claims",
                query(json!([one(
                    json!({"claims": [{"path": ["address"]}, {"path": ["age"], "values": [36]}]})
                )])),
            ),
            (
                "same-path",
                query(json!([one(
                    json!({"claims": [{"path": ["age"]}, {"path": ["age"], "values": [1]}]})
                )])),
            ),
            (
                "deep-path",
                query(json!([one(
                    json!({"claims": [{"path": ["doses", null, "lot", null]}]})
                )])),
            ),
            (
                "empty-meta",
                query(json!([{"id": "a", "format": "ldp_vc", "meta": {}, "multiple": true}])),
            ),
            (
                "other-format",
                query(json!([{"id": "a", "format": "zkp", "meta": {"x": [1]}}])),
            ),
        ],
        &[
            ("no-credentials", b"{}".into()),
            ("twice", query(json!([one(json!({})), one(json!({}))]))),
            ("member-twice", whole.replacen('{', r#"{"credentials":[],"#, 1).into()),
            ("unknown-option", whole.replace(r#"["a"],["#, r#"["z"],["#).into()),
            ("unknown-claim", whole.replace(r#"["n","l"]"#, r#"["n","z"]"#).into()),
            (
                "negative-index",
                whole.replace(r#""nationalities",1"#, r#""nationalities",-1"#).into(),
            ),
            ("fraction", whole.replace(r#""A",1,true"#, r#""A",1.5,true"#).into()),
            (
                "too-many",
                query(
                    (0..=limit::CREDENTIALS)
                        .map(|at| json!({"id": format!("c{at}"), "format": "f", "meta": {}}))
                        .collect(),
                ),
            ),
            ("cut", whole[..whole.len() / 2].into()),
            ("deep", "[".repeat(4096).into()),
        ],
    );
}

fn vectors(file: &str) -> Value {
    let text = match file {
        "requests" => include_str!("../../../vectors/vp/requests.json"),
        "messages" => include_str!("../../../vectors/vci/messages.json"),
        _ => include_str!("../../../vectors/vp/encrypted-response.json"),
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_corpus_of_jwe_is_what_makes_it() {
    let token = vectors("encrypted-response")["response"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    let header = |json: &str| {
        let header = vidimus_core::encoding::base64url(json.as_bytes());
        [&header, "", parts[2], parts[3], parts[4]].join(".").into_bytes()
    };
    let epk = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}"#;
    let with = |more: &str| header(&format!(r#"{{"alg":"ECDH-ES","enc":"A256GCM","epk":{epk}{more}}}"#));
    run::seeds(
        "jwe",
        |data| std::str::from_utf8(data).is_ok_and(|text| Jwe::parse(text, MAX_RESPONSE).is_ok()),
        &[
            ("specification", token.clone().into()),
            ("party", with(r#","apu":"QWxpY2U","apv":"Qm9i""#)),
            ("deflated", with(r#","zip":"DEF","cty":"JWT""#)),
        ],
        &[
            ("crit", with(r#","crit":["x"]"#)),
            ("zip", with(r#","zip":"GZ""#)),
            ("twice", with(r#","alg":"ECDH-ES""#)),
            ("dir", header(r#"{"alg":"dir","enc":"A256GCM"}"#)),
            ("four-parts", parts[..4].join(".").into()),
            ("key", [parts[0], "AAAA", parts[2], parts[3], parts[4]].join(".").into()),
        ],
    );
}

#[test]
fn the_corpora_of_vp_are_what_makes_them() {
    let id = "client_id=x509_san_dns%3Aa.example";
    let link = |more: &str| format!("openid4vp://?{id}{more}").into_bytes();
    run::seeds(
        "vp_link",
        |data| std::str::from_utf8(data).is_ok_and(|text| Invocation::parse(text).is_ok()),
        &[
            (
                "reference",
                link("&request_uri=https%3A%2F%2Fa.example%2Fr&request_uri_method=post"),
            ),
            ("value", link("&request=eyJ")),
            ("plain", link("&nonce=n&dcql_query=%7B%7D")),
        ],
        &[
            ("both", link("&request=eyJ&request_uri=https%3A%2F%2Fa.example%2Fr")),
            (
                "method",
                link("&request_uri=https%3A%2F%2Fa.example%2Fr&request_uri_method=PUT"),
            ),
            ("twice", link(&format!("&{id}"))),
            ("nobody", b"openid4vp://?request=eyJ".into()),
            ("escape", link("&x=%2")),
        ],
    );
    let requests = vectors("requests");
    let cases = requests["cases"].as_array().unwrap();
    let named = |accepted: bool| -> Vec<(&str, Vec<u8>)> {
        let these = cases.iter().filter(|case| (case["expected"] == "accepted") == accepted);
        these
            .map(|case| (case["name"].as_str().unwrap(), case["claims"].to_string().into_bytes()))
            .collect()
    };
    run::seeds(
        "vp_request",
        |data| {
            let claims = serde_json::from_slice::<Value>(data).unwrap();
            claims
                .as_object()
                .is_some_and(|claims| Request::from_claims(claims).is_ok())
        },
        &named(true),
        &named(false),
    );
    let jwe = vectors("encrypted-response")["response"].as_str().unwrap().to_owned();
    let form = |text: &str| text.as_bytes().to_vec();
    run::seeds(
        "vp_response",
        |data| Posted::parse(data).is_ok(),
        &[
            (
                "token",
                form("vp_token=%7B%22a%22%3A%5B%22x%22%5D%2C%22b%22%3A%5B%22y%22%2C%7B%7D%5D%7D&state=s"),
            ),
            ("missing", form("vp_token=%7B%22a%22%3A%5B%22x%22%5D%7D&state=s")),
            ("other-state", form("vp_token=%7B%7D&state=t")),
            ("encrypted", format!("response={jwe}&state=s").into()),
            ("error", form("error=access_denied&error_description=no&state=s")),
        ],
        &[
            ("nothing", form("state=s")),
            ("both", form("vp_token=%7B%7D&error=access_denied")),
            ("jws", form("response=a.b.c")),
            ("quoted", form("error=%22&state=s")),
            ("twice", form("state=s&state=s&vp_token=%7B%7D")),
        ],
    );
}

/// Inputs of the vectors of OpenID4VCI of these kinds, those of at most 4 KiB: first what is read, then what is refused.
fn messages(kinds: &[&str], reads: fn(&[u8]) -> bool) -> [Vec<(String, Vec<u8>)>; 2] {
    let file = vectors("messages");
    ["accept", "reject"].map(|outcome| {
        let of_kind = file[outcome]
            .as_array()
            .unwrap()
            .iter()
            .filter(|vector| kinds.contains(&vector["kind"].as_str().unwrap()) && vector.get("repeat").is_none());
        of_kind
            .map(|vector| {
                let name = format!(
                    "{}-{}",
                    vector["kind"].as_str().unwrap(),
                    vector["name"].as_str().unwrap()
                );
                let data = vector["text"]
                    .as_str()
                    .map_or_else(|| vector["json"].to_string(), str::to_owned);
                // The corpora are about one issuer.
                let data = data.replace("https://credential-issuer.example.com", "https://a.example/i");
                (
                    name,
                    data.replace("https://server.example.com\"", "https://a.example/i\"")
                        .into_bytes(),
                )
            })
            .filter(|(_, data)| data.len() <= 4096 && reads(data) == (outcome == "accept"))
            .collect()
    })
}

#[test]
fn the_corpora_of_vci_are_what_makes_them() {
    use vidimus_openid4vc::{
        oauth::{Form, Identifier, ServerMetadata, TokenRequest, TokenResponse, authorization::AuthorizationRequest},
        vci::{
            CredentialOffer, CredentialRequest, CredentialResponse, DeferredRequest, IssuerMetadata, Notification,
            OfferLink,
        },
    };
    fn issuer() -> Identifier {
        "https://a.example/i".parse().unwrap()
    }
    let forms = |data: &[u8]| {
        Form::parse(data).is_ok_and(|form| {
            TokenRequest::parse(&form, &issuer(), false).is_ok()
                || AuthorizationRequest::parse(&form, &issuer(), false).is_ok()
        })
    };
    let bodies = |data: &[u8]| {
        CredentialRequest::parse(data).is_ok()
            || DeferredRequest::parse(data).is_ok()
            || CredentialResponse::parse(data).is_ok()
            || Notification::parse(data).is_ok()
            || TokenResponse::parse(data).is_ok()
    };
    let metadata =
        |data: &[u8]| IssuerMetadata::parse(data, &issuer()).is_ok() || ServerMetadata::parse(data, &issuer()).is_ok();
    let offers = |data: &[u8]| {
        let link = std::str::from_utf8(data).is_ok_and(|text| OfferLink::parse(text).is_ok());
        link || CredentialOffer::parse(data).is_ok()
    };
    type Corpus = (&'static str, &'static [&'static str], fn(&[u8]) -> bool);
    let all: [Corpus; 4] = [
        ("oauth_form", &["token_request", "pushed_request"], forms),
        (
            "vci_message",
            &[
                "credential_request",
                "deferred_request",
                "credential_response",
                "notification",
                "token_response",
            ],
            bodies,
        ),
        ("vci_metadata", &["issuer_metadata", "server_metadata"], metadata),
        ("vci_offer", &["offer", "offer_link"], offers),
    ];
    for (corpus, kinds, reads) in all {
        let [read, refused] = messages(kinds, reads);
        let [read, refused] = [&read, &refused].map(|list| {
            let named = list.iter().map(|(name, data)| (name.as_str(), data.clone()));
            named.collect::<Vec<_>>()
        });
        assert!(read.len() >= 4 && refused.len() > read.len(), "{corpus}");
        run::seeds(corpus, reads, &read, &refused);
    }
}

#[test]
fn the_corpus_of_proofs_is_what_makes_it() {
    use vidimus_core::encoding::base64url;
    use vidimus_openid4vc::{
        oauth::{attestation::Headers, dpop::Proof},
        vci::{key_attestation::KeyAttestation, proof::Parsed, request::Proofs},
    };
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "nUWAoAv3XZith8E7i19OdaxOLYFOwM-Z2EuM02TirT4", "y": "HskHU8BjUi1U9Xqi7Swmj8gwAK_0xkcDjEW_71SosEY",
    });
    let token = |header: Value, payload: Value| {
        let part = |json: Value| base64url(json.to_string().as_bytes());
        format!("{}.{}.AAAA", part(header), part(payload)).into_bytes()
    };
    let head = |typ: &str| json!({"typ": typ, "alg": "ES256", "jwk": jwk});
    let claims = json!({
        "htm": "POST", "htu": "https://a.example/i", "iat": 0, "jti": "1", "nonce": "n", "ath": "a",
        "aud": "https://a.example/i", "exp": 60, "attested_keys": [jwk], "key_storage": ["iso_18045_high"],
        "sub": "wallet", "cnf": {"jwk": jwk},
    });
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let mut private = jwk.clone();
    private["d"] = json!("AAAA");
    run::seeds(
        "vci_proof",
        |data| {
            let text = std::str::from_utf8(data).unwrap();
            let jwt = Proofs::Jwt(vec![text.to_owned()]);
            Proof::parse(text).is_ok()
                || Parsed::parse(&jwt).is_ok()
                || KeyAttestation::parse(text).is_ok()
                || !matches!(Headers::parse(&[text], &[text]), Err(error) if error.code().name() == "invalid_client_attestation")
        },
        &[
            ("dpop", token(head("dpop+jwt"), claims.clone())),
            ("proof", token(head("openid4vci-proof+jwt"), claims.clone())),
            (
                "proof-did",
                token(
                    json!({"typ": "openid4vci-proof+jwt", "alg": "ES256K", "kid": "did:ethr:0x1#controller"}),
                    claims.clone(),
                ),
            ),
            (
                "key-attestation",
                token(
                    json!({"typ": "key-attestation+jwt", "alg": "ES256", "x5c": ["AAAA"]}),
                    claims.clone(),
                ),
            ),
        ],
        &[
            ("typ", token(head("JWT"), claims.clone())),
            (
                "none",
                token(json!({"typ": "dpop+jwt", "alg": "none", "jwk": jwk}), claims.clone()),
            ),
            (
                "private",
                token(
                    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": private}),
                    claims.clone(),
                ),
            ),
            ("no-htu", token(head("dpop+jwt"), without("htu"))),
            ("no-keys", token(head("key-attestation+jwt"), without("attested_keys"))),
            (
                "client-attestation",
                token(head("oauth-client-attestation+jwt"), claims.clone()),
            ),
            ("parts", b"a.b".into()),
        ],
    );
}
