//! Reading a query from JSON. Members that are not known are ignored (OpenID4VP 1.0 §6); a known one of the wrong form is not.

use super::{
    Claim, Credential, CredentialSet, Kind, Path, Query, QueryError, TrustedAuthority, Value, limit,
    query::{integer, most},
};
use serde_json::{Map, Value as Json};
use vidimus_core::encoding;
use vidimus_credential::json;

type Members = Map<String, Json>;

impl Query {
    /// Reads a query from its JSON text, of at most [`limit::BYTES`].
    pub fn parse(text: &[u8]) -> Result<Self, QueryError> {
        let members = json::parse_object(text, limit::BYTES).map_err(QueryError::Json)?;
        Self::from_members(&members)
    }

    /// Reads a query from JSON, as it is inside a request. Whoever parsed it has bounded its bytes and depth; here everything else is.
    pub fn from_json(value: &Json) -> Result<Self, QueryError> {
        Self::from_members(value.as_object().ok_or(QueryError::Form("dcql_query"))?)
    }

    fn from_members(members: &Members) -> Result<Self, QueryError> {
        let credentials =
            list(members, "credentials", limit::CREDENTIALS)?.ok_or(QueryError::Missing("credentials"))?;
        let sets = list(members, "credential_sets", limit::CREDENTIAL_SETS)?.unwrap_or_default();
        // Counted before anything is built from them.
        let claims = |credential: &Json| credential.get("claims").and_then(Json::as_array).map_or(0, Vec::len);
        most(credentials.iter().map(claims).sum(), limit::ALL_CLAIMS, "claims")?;
        Self::checked(
            credentials.iter().map(credential).collect::<Result<_, _>>()?,
            sets.iter().map(credential_set).collect::<Result<_, _>>()?,
        )
    }
}

fn credential(value: &Json) -> Result<Credential, QueryError> {
    let members = value.as_object().ok_or(QueryError::Form("credentials"))?;
    let id = text(members, "id")?;
    let format = text(members, "format")?;
    let meta = members.get("meta").ok_or(QueryError::Missing("meta"))?;
    let kind = kind(&format, meta.as_object().ok_or(QueryError::Form("meta"))?)?;
    let authorities = list(members, "trusted_authorities", limit::AUTHORITIES)?.unwrap_or_default();
    let claims = list(members, "claims", limit::CLAIMS)?.unwrap_or_default();
    let claim_sets = list(members, "claim_sets", limit::CLAIM_SETS)?.unwrap_or_default();
    let ids = |set: &Json| ids(set, "claim_sets");
    Ok(Credential {
        id,
        kind,
        multiple: boolean(members, "multiple", false)?,
        trusted_authorities: authorities.iter().map(authority).collect::<Result<_, _>>()?,
        holder_binding: boolean(members, "require_cryptographic_holder_binding", true)?,
        claims: claims.iter().map(claim).collect::<Result<_, _>>()?,
        claim_sets: claim_sets.iter().map(ids).collect::<Result<_, _>>()?,
    })
}

/// An empty `meta` asks for nothing in particular (§6.1); in any other the format's member must be there (appendix B).
fn kind(format: &str, meta: &Members) -> Result<Kind, QueryError> {
    let required = |name| {
        if meta.is_empty() {
            Ok(())
        } else {
            Err(QueryError::Missing(name))
        }
    };
    let type_values = || match list(meta, "type_values", limit::TYPES)? {
        Some(alternatives) => alternatives.iter().map(|types| texts(types, "type_values")).collect(),
        None => required("type_values").map(|()| Vec::new()),
    };
    Ok(match format {
        "dc+sd-jwt" => Kind::SdJwtVc {
            vct_values: match meta.get("vct_values") {
                Some(values) => texts(values, "vct_values")?,
                None => required("vct_values").map(|()| Vec::new())?,
            },
        },
        "jwt_vc_json" => Kind::JwtVcJson {
            type_values: type_values()?,
        },
        "ldp_vc" => Kind::LdpVc {
            type_values: type_values()?,
        },
        "mso_mdoc" => Kind::Mdoc {
            doctype_value: match meta.get("doctype_value") {
                Some(_) => Some(text(meta, "doctype_value")?),
                None => required("doctype_value").map(|()| None)?,
            },
        },
        _ => Kind::Other {
            format: format.to_owned(),
            meta: meta.clone(),
        },
    })
}

fn authority(value: &Json) -> Result<TrustedAuthority, QueryError> {
    let members = value.as_object().ok_or(QueryError::Form("trusted_authorities"))?;
    let kind = text(members, "type")?;
    let values = texts(members.get("values").ok_or(QueryError::Missing("values"))?, "values")?;
    let key = |value: &String| encoding::from_base64url(value).map_err(|_| QueryError::KeyIdentifier);
    Ok(match kind.as_str() {
        "aki" => TrustedAuthority::KeyIdentifier(values.iter().map(key).collect::<Result<_, _>>()?),
        "etsi_tl" => TrustedAuthority::TrustedList(values),
        "openid_federation" => TrustedAuthority::Federation(values),
        _ => TrustedAuthority::Other { kind, values },
    })
}

fn claim(value: &Json) -> Result<Claim, QueryError> {
    let members = value.as_object().ok_or(QueryError::Form("claims"))?;
    let id = members.get("id").map(|_| text(members, "id")).transpose()?;
    let path = Path::from_json(members.get("path").ok_or(QueryError::Missing("path"))?)?;
    let value = |value: &Json| match value {
        Json::String(text) => Ok(Value::Text(text.clone())),
        Json::Bool(value) => Ok(Value::Boolean(*value)),
        Json::Number(number) => integer(number).map(Value::Integer).ok_or(QueryError::Value),
        _ => Err(QueryError::Value),
    };
    let values = list(members, "values", limit::VALUES)?.unwrap_or_default();
    Ok(Claim {
        id,
        path,
        values: values.iter().map(value).collect::<Result<_, _>>()?,
    })
}

fn credential_set(value: &Json) -> Result<CredentialSet, QueryError> {
    let members = value.as_object().ok_or(QueryError::Form("credential_sets"))?;
    let options = list(members, "options", limit::OPTIONS)?.ok_or(QueryError::Missing("options"))?;
    let ids = |option: &Json| ids(option, "options");
    Ok(CredentialSet {
        options: options.iter().map(ids).collect::<Result<_, _>>()?,
        required: boolean(members, "required", true)?,
    })
}

/// The items of a list that is not empty, if it is there.
fn list<'m>(members: &'m Members, name: &'static str, limit: usize) -> Result<Option<&'m [Json]>, QueryError> {
    let Some(value) = members.get(name) else {
        return Ok(None);
    };
    let items = value.as_array().ok_or(QueryError::Form(name))?;
    most(items.len(), limit, name)?;
    if items.is_empty() {
        return Err(QueryError::Empty(name));
    }
    Ok(Some(items))
}

fn text(members: &Members, name: &'static str) -> Result<String, QueryError> {
    let value = members.get(name).ok_or(QueryError::Missing(name))?;
    let text = value.as_str().ok_or(QueryError::Form(name))?;
    if text.len() > limit::TEXT {
        return Err(QueryError::TooLong(name));
    }
    Ok(text.to_owned())
}

fn boolean(members: &Members, name: &'static str, default: bool) -> Result<bool, QueryError> {
    members
        .get(name)
        .map_or(Ok(default), |value| value.as_bool().ok_or(QueryError::Form(name)))
}

/// A list of texts that is not empty. How long texts may be is seen when the query is put together.
fn texts(value: &Json, name: &'static str) -> Result<Vec<String>, QueryError> {
    let texts = ids(value, name)?;
    if texts.is_empty() {
        return Err(QueryError::Empty(name));
    }
    Ok(texts)
}

fn ids(value: &Json, name: &'static str) -> Result<Vec<String>, QueryError> {
    let items = value.as_array().ok_or(QueryError::Form(name))?;
    most(items.len(), limit::MEMBERS, name)?;
    let text = |item: &Json| item.as_str().map(str::to_owned).ok_or(QueryError::Form(name));
    items.iter().map(text).collect()
}
