//! What the targets of `vidimus-openid4vc`'s parsers do with their bytes.

use vidimus_core::{Secret, Timestamp};
use vidimus_crypto::Native;
use vidimus_openid4vc::{
    dcql::{self, Candidate, Query, Type, limit},
    jwe::{ContentEncryption, Jwe},
    oauth::{
        Form, Identifier, Opaque, ServerMetadata, TokenRequest, TokenResponse,
        attestation::Headers,
        authorization::AuthorizationRequest,
        dpop::{self, Proof},
        identity as service,
    },
    vci::{
        CredentialOffer, CredentialRequest, CredentialResponse, DeferredRequest, IssuerMetadata, Notification,
        OfferLink, key_attestation::KeyAttestation, offer::Invocation as Address, proof::Parsed, request::Proofs,
    },
    vp::{Answer, Invocation, MAX_REQUEST, MAX_RESPONSE, Posted, Request, Session, WalletAddress},
};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("dcql", dcql),
    ("identity", identity),
    ("jwe", jwe),
    ("oauth_form", oauth_form),
    ("vci_message", vci_message),
    ("vci_metadata", vci_metadata),
    ("vci_offer", vci_offer),
    ("vci_proof", vci_proof),
    ("vp_link", vp_link),
    ("vp_request", vp_request),
    ("vp_response", vp_response),
];

/// The documents that the claims of an ID token name, for one session.
pub fn named(claims: &[u8]) -> Option<Vec<service::Document>> {
    let claims = serde_json::from_slice(claims).ok()?;
    let expected = service::Expected {
        issuer: "https://id.example",
        client_id: "vidimus",
        nonce: &Opaque::new("n"),
        trust_framework: Some("eidas"),
        keys: &[],
        roots: &[],
        algorithms: &[],
        now: Timestamp(1_772_352_900),
    };
    service::read(&claims, &expected).ok()
}

/// The claims of an ID token, or the answer that it comes in: a person is named by whole documents, few of them.
pub fn identity(data: &[u8]) {
    let _ = service::id_token(data);
    let Some(documents) = named(data) else {
        return;
    };
    assert!((1..=16).contains(&documents.len()));
    for document in documents {
        assert!(!document.kind.is_empty() && !document.country.is_empty() && !document.number.is_empty());
    }
}

/// A query: bounded, read again as the same, and evaluated over credentials that it may ask for; what it finds is an answer, and no more than it asked.
pub fn dcql(data: &[u8]) {
    let Ok(query) = Query::parse(data) else {
        return;
    };
    let claims: usize = query
        .credentials()
        .iter()
        .map(|credential| credential.claims.len())
        .sum();
    assert!((1..=limit::CREDENTIALS).contains(&query.credentials().len()));
    assert!(claims <= limit::ALL_CLAIMS && query.sets().len() <= limit::CREDENTIAL_SETS);
    let written = query.to_json();
    assert_eq!(Query::from_json(&written).as_ref(), Ok(&query));
    let claims = serde_json::json!({
        "name": "Jo", "given_name": "Jo", "family_name": "Do", "age": 36, "adult": true, "nothing": null,
        "address": {"street_address": "S", "locality": "L"},
        "doses": [{"lot": "A", "date": "2026-01-02"}, {"lot": "B"}], "nationalities": ["DE", "FR"],
        "credentialSubject": {"given_name": "Jo", "family_name": "Do"},
        "org.iso.18013.5.1": {"given_name": "Jo", "family_name": "Do"},
    });
    let types: Vec<&str> = vec![
        "v",
        "w",
        "https://credentials.example.com/identity_credential",
        "IDCredential",
    ];
    let kinds = [
        Type::SdJwtVc(&types),
        Type::JwtVcJson(&types),
        Type::LdpVc(&types),
        Type::Mdoc("org.iso.18013.5.1.mDL"),
    ];
    let wallet = kinds.map(|kind| Candidate {
        kind,
        claims: &claims,
        authorities: &[],
        holder_bound: true,
    });
    let found = dcql::evaluate(&query, &wallet);
    for (place, credential) in query.credentials().iter().enumerate() {
        for one in found.matches(&credential.id) {
            let shown = found.disclosed(&credential.id, *one);
            assert!(shown.iter().all(|location| location.find(&claims).is_some()));
            assert!(!shown.is_empty() || query.asked(place, one.claim_set).next().is_none());
        }
    }
    assert_eq!(found.first_answer().is_some(), found.is_satisfiable());
    if let Some(answer) = found.first_answer() {
        found.check(&answer).expect("what was found is an answer");
        let presented: Vec<(&str, &[Candidate<'_>])> = answer
            .iter()
            .map(|chosen| (chosen.id, &wallet[chosen.candidates[0]..=chosen.candidates[0]]))
            .collect();
        dcql::check_response(&query, &presented).expect("and one for the verifier");
    }
}

/// A compact JWE: read, and not opened by a key that it is not encrypted to.
pub fn jwe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(jwe) = Jwe::parse(text, MAX_RESPONSE) else {
        return;
    };
    assert_eq!(text.matches('.').count(), 4);
    assert!(
        jwe.decrypt(&Secret::new([1; 32]), Some(1 << 16), &Native::new())
            .is_err()
    );
}

/// A link to a wallet: what it holds, written anew, reads as the same.
pub fn vp_link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(invocation) = Invocation::parse(text) else {
        return;
    };
    assert!(text.len() <= MAX_REQUEST);
    // Escaped for a link, what was short may be too long to be read.
    let link = invocation.to_link(&WalletAddress::openid4vp());
    assert!(link.len() > MAX_REQUEST || Invocation::parse(&link).as_ref() == Ok(&invocation));
}

/// The claims of a request object: written anew they read as the same, but for content encryptions that nothing can be encrypted with, since there is
/// no key, or none of them is known here. They are read (the wallet refuses what is missing), and never written.
pub fn vp_request(data: &[u8]) {
    let Ok(claims) = vidimus_credential::json::parse_object(data, MAX_REQUEST) else {
        return;
    };
    let Ok(request) = Request::from_claims(&claims) else {
        return;
    };
    assert_eq!(request.client_id.to_string(), claims["client_id"]);
    let is_written = request
        .metadata
        .as_ref()
        .is_none_or(|metadata| match &metadata.recipient {
            Some(_) => !metadata.encryptions.is_empty(),
            None => metadata.encryptions == [ContentEncryption::A128Gcm],
        });
    if !is_written {
        return;
    }
    assert_eq!(Request::from_claims(&request.to_claims()).as_ref(), Ok(&request));
}

/// What is posted to a verifier, whose session has a state that everybody knows: what it presents answers the query.
pub fn vp_response(data: &[u8]) {
    let Ok(posted) = Posted::parse(data) else { return };
    assert!(data.len() <= MAX_RESPONSE);
    let session: Session = serde_json::from_value(serde_json::json!({
        "client_id": "x509_san_dns:a.example", "nonce": "n", "state": "s", "response_mode": "direct_post",
        "response_uri": "https://a.example/r", "return_uri": null,
        "query": {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {}}, {"id": "b", "format": "jwt_vc_json", "meta": {}, "multiple": true}]},
        "transaction_data": [], "verifier_info": [], "formats": {"dc+sd-jwt": {}}, "encryption_key": null, "kid": null,
        "created_at": 0, "expires_at": 300,
    }))
    .expect("a session as it is kept");
    if let Ok(Answer::Presented(token)) = posted.read(&session, None, Timestamp(1), &Native::new()) {
        assert_eq!(token.find("a").len(), 1);
        assert_eq!(token.iter().count(), 2);
    }
}

/// Whom the metadata of the corpora are about.
fn issuer() -> Identifier {
    "https://a.example/i".parse().expect("an identifier")
}

/// A form: written anew it is the same, and so is what it asks of the token and the pushed authorization request endpoint.
pub fn oauth_form(data: &[u8]) {
    let Ok(form) = Form::parse(data) else { return };
    assert_eq!(Form::parse(form.encode().as_bytes()).as_ref(), Ok(&form));
    if let Ok(request) = TokenRequest::parse(&form, &issuer(), false) {
        assert_eq!(
            TokenRequest::parse(&request.to_form(), &issuer(), false).as_ref(),
            Ok(&request)
        );
    }
    if let Ok(request) = AuthorizationRequest::parse(&form, &issuer(), false) {
        assert_eq!(
            AuthorizationRequest::parse(&request.to_form(), &issuer(), false).as_ref(),
            Ok(&request)
        );
        assert!(!request.redirect_uri.starts_with("javascript"));
    }
}

/// A message of the credential endpoints or the token endpoint: written anew it is the same.
pub fn vci_message(data: &[u8]) {
    if let Ok(request) = CredentialRequest::parse(data) {
        assert_eq!(
            CredentialRequest::parse(request.to_json().as_bytes()).as_ref(),
            Ok(&request)
        );
    }
    if let Ok(request) = DeferredRequest::parse(data) {
        assert_eq!(
            DeferredRequest::parse(request.to_json().as_bytes()).as_ref(),
            Ok(&request)
        );
    }
    if let Ok(response) = CredentialResponse::parse(data) {
        assert_eq!(
            CredentialResponse::parse(response.to_json().as_bytes()).as_ref(),
            Ok(&response)
        );
    }
    if let Ok(notification) = Notification::parse(data) {
        assert_eq!(
            Notification::parse(notification.to_json().as_bytes()).as_ref(),
            Ok(&notification)
        );
    }
    if let Ok(response) = TokenResponse::parse(data) {
        assert_eq!(
            TokenResponse::parse(response.to_json().as_bytes()).as_ref(),
            Ok(&response)
        );
    }
}

/// Metadata of an issuer or a server: of the one that was asked for, and written anew the same.
pub fn vci_metadata(data: &[u8]) {
    if let Ok(metadata) = IssuerMetadata::parse(data, &issuer()) {
        assert_eq!(metadata.credential_issuer, issuer());
        assert!(metadata.batch_size() >= 1 && !metadata.servers().is_empty());
        assert_eq!(
            IssuerMetadata::parse(metadata.to_json().as_bytes(), &issuer()).as_ref(),
            Ok(&metadata)
        );
    }
    if let Ok(metadata) = ServerMetadata::parse(data, &issuer()) {
        assert_eq!(metadata.issuer, issuer());
    }
}

/// A link with an offer, or an offer: written anew it is the same.
pub fn vci_offer(data: &[u8]) {
    if let Ok(offer) = CredentialOffer::parse(data) {
        assert_eq!(CredentialOffer::parse(offer.to_json().as_bytes()).as_ref(), Ok(&offer));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(link) = OfferLink::parse(text) {
        // Escaped for a link, what was short may be too long to be read.
        let again = link.to_link(&Address::HaipVci);
        assert!(again.len() > 1 << 16 || OfferLink::parse(&again).as_ref() == Ok(&link));
    }
}

/// What proves a key or attests one: read, and nothing in it signs for everybody.
pub fn vci_proof(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(proof) = Proof::parse(text) {
        let request = dpop::Request {
            method: "POST",
            url: "https://a.example/i",
        };
        let expected = dpop::Expected {
            request,
            algorithms: &[vidimus_core::Algorithm::Es256],
            token: None,
            nonce: Some(&|_| false),
            now: Timestamp(0),
        };
        assert!(proof.verify(&expected, &Native::new()).is_err());
    }
    let proofs = [Proofs::Jwt(vec![text.to_owned()]), Proofs::Attestation(text.to_owned())];
    for proofs in &proofs {
        if let Ok(parsed) = Parsed::parse(proofs) {
            assert!(parsed.dids().all(|did| did.starts_with("did:")));
        }
    }
    let _ = (
        KeyAttestation::parse(text).is_ok(),
        Headers::parse(&[text], &[text]).is_ok(),
    );
}
