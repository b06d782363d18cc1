//! Reading a VC back into the statement it was made from.

use super::{
    CERTIFICATE, CONTENT_TYPE_2_0, CONTEXT_PATH, CREDENTIAL, STATUS_ENTRY, TYPE_1_1, TYPE_2_0, Version, whole_seconds,
};
use crate::{
    CategoryId, Format, Person, Statement, StatusReference,
    format::{Content, FormatError, KeyHint, MAX_CERTIFICATE, Parsed},
    json::{Members, Node},
    jws::{Jws, JwsError},
};
use serde_json::Number;
use vidimus_core::{Algorithm, Timestamp, id::CopyId};

/// Reads a VC of either version. The header's `typ` says which: `vc+jwt` is 2.0; `JWT` or none is 1.1.
pub fn parse(token: &str) -> Result<Parsed, FormatError> {
    if token.len() > MAX_CERTIFICATE {
        return Err(FormatError::TooLarge);
    }
    let jws = Jws::parse(token, MAX_CERTIFICATE).map_err(|error| match error {
        // A text that is no JWS at all is of another format; one that is, and is broken, is a broken JWS.
        JwsError::Parts => FormatError::Unknown,
        error => FormatError::Jws(error),
    })?;
    let header = jws.header();
    if header.algorithm == Algorithm::Ps256 {
        return Err(FormatError::Algorithm);
    }
    let version = match header.typ {
        _ if header.is_type(TYPE_2_0) => Version::V2_0,
        None => Version::V1_1,
        _ if header.is_type(TYPE_1_1) => Version::V1_1,
        _ => return Err(FormatError::Unknown),
    };
    let claims = jws.members().map_err(FormatError::Jws)?;
    let (format, statement) = match version {
        Version::V1_1 => (Format::VcJwt11, statement_1_1(&claims)?),
        Version::V2_0 => {
            if header
                .cty
                .as_deref()
                .is_some_and(|cty| cty.trim_start_matches("application/") != CONTENT_TYPE_2_0)
            {
                return Err(FormatError::Unknown);
            }
            (Format::VcJwt20, statement_2_0(&claims)?)
        }
    };
    let signed = jws.into_signed();
    Ok(Parsed {
        format,
        content: Content::Statement(Box::new(statement)),
        algorithm: signed.header.algorithm,
        key: signed.header.kid.map_or(KeyHint::None, KeyHint::Kid),
        message: signed.message,
        signature: signed.signature,
    })
}

fn statement_1_1(claims: &Members<'_>) -> Result<Statement, FormatError> {
    let Some(credential) = claims.get("vc") else {
        return Err(FormatError::Unknown);
    };
    let credential = credential.as_object().ok_or(FormatError::Claim("vc"))?;
    check_shape(credential, Version::V1_1)?;
    let valid_from = agreed(
        "nbf",
        claims
            .get("nbf")
            .map(|v| seconds(v).ok_or(FormatError::Claim("nbf")))
            .transpose()?,
        date(credential, "issuanceDate")?,
    )?;
    let valid_until = agreed(
        "exp",
        claims
            .get("exp")
            .map(|v| seconds(v).ok_or(FormatError::Claim("exp")))
            .transpose()?,
        date(credential, "expirationDate")?,
    )?;
    statement(claims, credential, valid_from, valid_until)
}

fn statement_2_0(credential: &Members<'_>) -> Result<Statement, FormatError> {
    if credential.contains_key("vc") || credential.contains_key("vp") {
        return Err(FormatError::Claim("vc"));
    }
    check_shape(credential, Version::V2_0)?;
    let required = |name| date(credential, name)?.ok_or(FormatError::Claim(name));
    let (valid_from, valid_until) = (required("validFrom")?, required("validUntil")?);
    for (name, claimed) in [("nbf", valid_from), ("exp", valid_until)] {
        if let Some(value) = credential.get(name) {
            agreed(
                name,
                Some(seconds(value).ok_or(FormatError::Claim(name))?),
                Some(claimed),
            )?;
        }
    }
    statement(credential, credential, valid_from, valid_until)
}

/// `claims` are the JWT's, `credential` the VC's members; in 2.0 they are one.
fn statement(
    claims: &Members<'_>,
    credential: &Members<'_>,
    valid_from: Timestamp,
    valid_until: Timestamp,
) -> Result<Statement, FormatError> {
    let (credential_issuer, issuer_country) = issuer(claims, credential)?;
    let issuer = agreed("iss", text(claims, "iss")?, credential_issuer)?;
    let id = agreed("jti", text(claims, "jti")?, text(credential, "id")?)?;
    let id: CopyId = id
        .strip_prefix("urn:uuid:")
        .and_then(|id| id.parse().ok())
        .ok_or(FormatError::Claim("jti"))?;
    let subject = credential
        .get("credentialSubject")
        .and_then(Node::as_object)
        .ok_or(FormatError::Claim("credentialSubject"))?;
    only(subject, &["id", "category", "person", "claims"], "credentialSubject")?;
    let holder = match (text(claims, "sub")?, text(subject, "id")?) {
        (None, None) => None,
        (one, other) => Some(agreed("sub", one, other)?.to_owned()),
    };
    let issued_at = match claims.get("iat") {
        Some(value) => seconds(value).ok_or(FormatError::Claim("iat"))?,
        None => valid_from,
    };
    Ok(Statement {
        id,
        category: text(subject, "category")?
            .and_then(|name| CategoryId::new(name).ok())
            .ok_or(FormatError::Claim("category"))?,
        issuer: issuer.to_owned(),
        issuer_country: issuer_country.to_owned(),
        holder,
        person: person(subject)?,
        claims: subject
            .get("claims")
            .and_then(Node::as_object)
            .ok_or(FormatError::Claim("claims"))?
            .to_map(),
        issued_at,
        valid_from,
        valid_until,
        status: status(claims, credential)?,
    })
}

fn check_shape(credential: &Members<'_>, version: Version) -> Result<(), FormatError> {
    let contexts = credential.get("@context").and_then(Node::as_list).unwrap_or_default();
    let (first, second) = (
        contexts.first().and_then(Node::as_str),
        contexts.get(1).and_then(Node::as_str),
    );
    if first != Some(version.base_context()) {
        return Err(FormatError::Claim("@context"));
    }
    let types = credential.get("type").and_then(Node::as_list).unwrap_or_default();
    let has = |name: &str| types.iter().any(|kind| kind.as_str() == Some(name));
    if !has(CREDENTIAL) {
        return Err(FormatError::Claim("type"));
    }
    // A credential, but of a vocabulary that is not ours.
    if !has(CERTIFICATE) || !second.is_some_and(|url| url.ends_with(CONTEXT_PATH)) {
        return Err(FormatError::Unknown);
    }
    Ok(())
}

/// The issuer's DID as the credential has it, and its country. did-jwt-vc leaves what it does not turn into `iss` beside `vc`, so both are
/// looked at; in 2.0 they are one.
fn issuer<'a>(claims: &'a Members<'a>, credential: &'a Members<'a>) -> Result<(Option<&'a str>, &'a str), FormatError> {
    let (mut ids, mut countries) = (Vec::new(), Vec::new());
    for members in [credential, claims] {
        match members.get("issuer") {
            None => {}
            Some(Node::Text(id)) => ids.push(&**id),
            Some(Node::Object(issuer)) => {
                ids.extend(text(issuer, "id")?);
                countries.extend(text(issuer, "country")?);
            }
            Some(_) => return Err(FormatError::Claim("issuer")),
        }
    }
    let one = |values: Vec<&'a str>| {
        if values.windows(2).all(|pair| pair[0] == pair[1]) {
            Ok(values.first().copied())
        } else {
            Err(FormatError::Mismatch("issuer"))
        }
    };
    Ok((one(ids)?, one(countries)?.unwrap_or_default()))
}

fn person(subject: &Members<'_>) -> Result<Person, FormatError> {
    const NAMES: [&str; 5] = [
        "familyName",
        "givenName",
        "familyNameTransliterated",
        "givenNameTransliterated",
        "birthDate",
    ];
    let person = subject
        .get("person")
        .and_then(Node::as_object)
        .ok_or(FormatError::Claim("person"))?;
    only(person, &NAMES, "person")?;
    let member = |name| Ok(text(person, name)?.ok_or(FormatError::Claim(name))?.to_owned());
    let [
        family_name,
        given_name,
        family_name_transliterated,
        given_name_transliterated,
        birth_date,
    ] = NAMES.map(member);
    Ok(Person {
        family_name: family_name?,
        given_name: given_name?,
        family_name_transliterated: family_name_transliterated?,
        given_name_transliterated: given_name_transliterated?,
        birth_date: birth_date?,
    })
}

/// Both mechanisms, which must name one index. A mechanism that is not understood is an error and not an absent status.
fn status(claims: &Members<'_>, credential: &Members<'_>) -> Result<Option<StatusReference>, FormatError> {
    let wrong = FormatError::Claim("status");
    let Some(reference) = claims.get("status") else {
        // Every certificate of this shape that has a status has both forms of it.
        return if credential.contains_key("credentialStatus") {
            Err(wrong)
        } else {
            Ok(None)
        };
    };
    let list = reference.get("status_list").ok_or(wrong)?;
    let mut status = StatusReference {
        token_list: list.get("uri").and_then(Node::as_str).ok_or(wrong)?.to_owned(),
        bitstring_list: None,
        suspension_list: None,
        index: list.get("idx").and_then(unsigned).ok_or(wrong)?,
    };
    let entries = match credential.get("credentialStatus") {
        None => &[][..],
        Some(Node::List(entries)) => entries,
        Some(entry) => std::slice::from_ref(entry),
    };
    for entry in entries {
        let wrong = FormatError::Claim("credentialStatus");
        let member = |name| entry.get(name).and_then(Node::as_str);
        let place = match member("statusPurpose") {
            _ if member("type") != Some(STATUS_ENTRY) => return Err(wrong),
            Some("revocation") => &mut status.bitstring_list,
            Some("suspension") => &mut status.suspension_list,
            _ => return Err(wrong),
        };
        let index: u64 = member("statusListIndex")
            .and_then(|index| index.parse().ok())
            .ok_or(wrong)?;
        if index != status.index {
            return Err(FormatError::Mismatch("the status index"));
        }
        let list = member("statusListCredential").ok_or(wrong)?;
        if place.replace(list.to_owned()).is_some() {
            return Err(wrong);
        }
    }
    Ok(Some(status))
}

fn seconds(node: &Node<'_>) -> Option<Timestamp> {
    node.as_number().and_then(whole_seconds)
}

fn unsigned(node: &Node<'_>) -> Option<u64> {
    node.as_number().and_then(Number::as_u64)
}

fn text<'a>(members: &'a Members<'a>, name: &'static str) -> Result<Option<&'a str>, FormatError> {
    match members.get(name) {
        None => Ok(None),
        Some(Node::Text(text)) => Ok(Some(text)),
        Some(_) => Err(FormatError::Claim(name)),
    }
}

fn date(members: &Members<'_>, name: &'static str) -> Result<Option<Timestamp>, FormatError> {
    text(members, name)?
        .map(|text| Timestamp::parse_rfc3339(text).map_err(|_| FormatError::Claim(name)))
        .transpose()
}

/// One value that may stand in two places: at least one has it, and both, if both do, have the same.
fn agreed<T: PartialEq>(name: &'static str, one: Option<T>, other: Option<T>) -> Result<T, FormatError> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(FormatError::Mismatch(name)),
        (Some(value), _) | (None, Some(value)) => Ok(value),
        (None, None) => Err(FormatError::Claim(name)),
    }
}

fn only(members: &Members<'_>, names: &[&str], whole: &'static str) -> Result<(), FormatError> {
    if members.keys().all(|name| names.contains(&name)) {
        Ok(())
    } else {
        Err(FormatError::Claim(whole))
    }
}
