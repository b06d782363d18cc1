//! What the targets of `vidimus-openid4vc`'s parsers do with their bytes.

use vidimus_openid4vc::dcql::{self, Candidate, Query, Type, limit};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[("dcql", dcql)];

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
