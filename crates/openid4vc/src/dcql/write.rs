//! Writing a query as JSON: what is default is left out.

use super::{Claim, Credential, CredentialSet, Kind, Query, TrustedAuthority, Value};
use serde_json::{Map, Value as Json, json};
use vidimus_core::encoding;

impl Query {
    /// The value of `dcql_query`.
    pub fn to_json(&self) -> Json {
        let credentials: Vec<Json> = self.credentials().iter().map(credential).collect();
        let mut query = json!({ "credentials": credentials });
        if !self.sets().is_empty() {
            query["credential_sets"] = self.sets().iter().map(credential_set).collect();
        }
        query
    }
}

fn credential(credential: &Credential) -> Json {
    let mut members = json!({
        "id": credential.id,
        "format": credential.kind.format(),
        "meta": meta(&credential.kind),
    });
    if credential.multiple {
        members["multiple"] = true.into();
    }
    if !credential.trusted_authorities.is_empty() {
        members["trusted_authorities"] = credential.trusted_authorities.iter().map(authority).collect();
    }
    if !credential.holder_binding {
        members["require_cryptographic_holder_binding"] = false.into();
    }
    if !credential.claims.is_empty() {
        members["claims"] = credential.claims.iter().map(claim).collect();
    }
    if !credential.claim_sets.is_empty() {
        members["claim_sets"] = json!(credential.claim_sets);
    }
    members
}

fn meta(kind: &Kind) -> Json {
    match kind {
        Kind::SdJwtVc { vct_values } if !vct_values.is_empty() => json!({ "vct_values": vct_values }),
        Kind::JwtVcJson { type_values } | Kind::LdpVc { type_values } if !type_values.is_empty() => {
            json!({ "type_values": type_values })
        }
        Kind::Mdoc {
            doctype_value: Some(doctype),
        } => json!({ "doctype_value": doctype }),
        Kind::Other { meta, .. } => Json::Object(meta.clone()),
        _ => Json::Object(Map::new()),
    }
}

fn authority(authority: &TrustedAuthority) -> Json {
    match authority {
        TrustedAuthority::KeyIdentifier(values) => {
            let values: Vec<String> = values.iter().map(|value| encoding::base64url(value)).collect();
            json!({ "type": "aki", "values": values })
        }
        TrustedAuthority::TrustedList(values) => json!({ "type": "etsi_tl", "values": values }),
        TrustedAuthority::Federation(values) => json!({ "type": "openid_federation", "values": values }),
        TrustedAuthority::Other { kind, values } => json!({ "type": kind, "values": values }),
    }
}

fn claim(claim: &Claim) -> Json {
    let mut members = Map::new();
    if let Some(id) = &claim.id {
        members.insert("id".to_owned(), id.as_str().into());
    }
    members.insert("path".to_owned(), claim.path.to_json());
    if !claim.values.is_empty() {
        members.insert("values".to_owned(), claim.values.iter().map(value).collect());
    }
    Json::Object(members)
}

fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => json!(*value),
    }
}

fn credential_set(set: &CredentialSet) -> Json {
    let mut members = json!({ "options": set.options });
    if !set.required {
        members["required"] = false.into();
    }
    members
}
