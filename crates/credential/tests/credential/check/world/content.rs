//! What is certified, and signed as it should be.

use super::*;

/// Index of a copy that was revoked, one that is suspended, and one that is neither.
pub const REVOKED: u64 = 90_210;
pub const SUSPENDED: u64 = 40_404;
pub const GOOD: u64 = 71_077;

pub fn person() -> Person {
    Person {
        family_name: "Mustermann".to_owned(),
        given_name: "Änne".to_owned(),
        family_name_transliterated: "MUSTERMANN".to_owned(),
        given_name_transliterated: "AENNE".to_owned(),
        birth_date: "1984-12-09".to_owned(),
    }
}

/// A negative NAAT of the day before, as `lab` states it for the traveller.
pub fn statement(lab: &Lab) -> Statement {
    let claims = json!({
        "target": "840539006", "test_type": "LP6464-4", "sampled_at": "2026-03-01T08:15:00Z",
        "result": "260415000", "testing_centre": "Testzentrum Wien", "country": "AT",
    });
    Statement {
        id: CopyId::generate(&mut Seeded::new("copy")),
        category: CategoryId::new("sars-cov-2-naat").unwrap(),
        issuer: lab.did(),
        issuer_country: "AT".to_owned(),
        holder: Some(TRAVELLER.did()),
        person: person(),
        claims: claims.as_object().unwrap().clone(),
        issued_at: at("2026-03-01T09:00:00Z"),
        valid_from: at("2026-03-01T08:15:00Z"),
        valid_until: at("2026-03-04T08:15:00Z"),
        status: Some(StatusReference {
            token_list: TOKEN_LIST.to_owned(),
            bitstring_list: Some(REVOCATION_LIST.to_owned()),
            suspension_list: Some(SUSPENSION_LIST.to_owned()),
            index: GOOD,
        }),
    }
}

/// A vaccination of January, stated at `issued_at`.
pub fn vaccination(lab: &Lab, issued_at: &str) -> Statement {
    let claims = json!({
        "target": "840539006", "vaccine": "1119349007", "product": "EU/1/20/1528", "manufacturer": "ORG-100030215",
        "dose": 2, "doses_in_series": 2, "vaccinated_on": "2026-01-04", "country": "AT",
    });
    let base = statement(lab);
    Statement {
        category: CategoryId::new("sars-cov-2-vaccination").unwrap(),
        claims: claims.as_object().unwrap().clone(),
        issued_at: at(issued_at),
        valid_from: at("2026-01-18T00:00:00Z"),
        valid_until: at("2026-09-30T00:00:00Z"),
        ..base
    }
}

/// A compact JWS of these texts, whatever they are.
pub fn raw_jws(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64url(&signature))
}

/// A VC signed as it should be.
pub fn vc(statement: &Statement, version: vc_jwt::Version, algorithm: Algorithm, key: &TestKey) -> String {
    let kid = format!("{}#controller", statement.issuer);
    let unsigned = vc_jwt::prepare(statement, version, CONTEXT, algorithm, &kid).unwrap();
    let signature = key.sign(algorithm, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

/// A VC 1.1 with ES256K by the account of its issuer.
pub fn simple(statement: &Statement, lab: &Lab) -> String {
    vc(statement, vc_jwt::Version::V1_1, Algorithm::Es256k, &lab.account)
}

/// The content of the HCERT that says the same.
pub fn hcert_content(statement: &Statement) -> hcert::Content {
    let categories = vidimus_credential::category::Categories::built_in();
    let category = categories.category(&statement.category).unwrap();
    hcert::Content {
        issuer_country: Some(statement.issuer_country.clone()),
        issued_at: statement.issued_at,
        expires_at: statement.valid_until,
        dcc: category.to_dcc(statement).unwrap(),
        status: statement.status.clone(),
    }
}

pub fn hcert_of(content: &hcert::Content, kid: [u8; 8], key: &TestKey) -> String {
    let unsigned = hcert::prepare(content, kid).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

pub fn digest_of(copy: &str) -> Digest {
    vidimus_credential::format::parse(copy).unwrap().digest(&*PROVIDER)
}
