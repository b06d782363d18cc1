//! Authorization details of type `openid_credential` (RFC 9396, OpenID4VCI §5.1.1, §6.2).

use super::{ErrorCode, strict, wire};
use crate::vci::claims::ClaimRequest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vidimus_credential::json;

/// The type.
pub const OPENID_CREDENTIAL: &str = "openid_credential";
/// The most details in one request or response.
pub const MAX_DETAILS: usize = 64;

/// One credential that is asked for, or granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationDetail {
    /// [`OPENID_CREDENTIAL`].
    #[serde(rename = "type")]
    kind: String,
    /// Which configuration of the issuer's metadata.
    pub credential_configuration_id: String,
    /// The credential issuer's identifier, where its metadata name authorization servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<String>>,
    /// Which claims are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<ClaimRequest>>,
    /// In a token response: the names under which the credentials are to be requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_identifiers: Option<Vec<String>>,
}

/// Why authorization details are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DetailsError {
    /// Not an array of 1 to [`MAX_DETAILS`] objects.
    #[error("authorization_details is not a list of authorization details")]
    Malformed,
    /// One is of another type: a server refuses what it does not know (RFC 9396 §5).
    #[error("an authorization detail is of a type that is not known here")]
    Type,
    /// One has not the members that its type asks for.
    #[error("an authorization detail has not the form of its type")]
    Form,
    /// One is for another credential issuer.
    #[error("an authorization detail is for another credential issuer")]
    Location,
}

impl DetailsError {
    /// Its code (RFC 9396 §5).
    pub const fn code(self) -> ErrorCode {
        ErrorCode::InvalidAuthorizationDetails
    }
}

impl AuthorizationDetail {
    /// For a configuration.
    pub fn new(configuration: impl Into<String>) -> Self {
        Self {
            kind: OPENID_CREDENTIAL.to_owned(),
            credential_configuration_id: configuration.into(),
            locations: None,
            claims: None,
            credential_identifiers: None,
        }
    }

    /// Reads the parameter of a request. Where the issuer's metadata name authorization servers each detail must be for `issuer`, which
    /// `must_locate` says; a detail for another issuer is refused in any case.
    pub fn parse_request(text: &str, issuer: &str, must_locate: bool) -> Result<Vec<Self>, DetailsError> {
        let details = json::parse(text.as_bytes(), wire::MAX_DOCUMENT).map_err(|_| DetailsError::Malformed)?;
        let Value::Array(list) = details else {
            return Err(DetailsError::Malformed);
        };
        if !(1..=MAX_DETAILS).contains(&list.len()) {
            return Err(DetailsError::Malformed);
        }
        list.into_iter()
            .map(|value| {
                let detail = Self::one(value)?.ok_or(DetailsError::Type)?;
                match &detail.locations {
                    Some(locations) if !locations.iter().any(|location| location == issuer) => {
                        Err(DetailsError::Location)
                    }
                    None if must_locate => Err(DetailsError::Location),
                    _ => Ok(detail),
                }
            })
            .collect()
    }

    /// As the parameter of a request.
    pub fn to_parameter(details: &[Self]) -> String {
        serde_json::to_string(details).expect("texts and lists of them are JSON")
    }

    /// Those of a token response that are of this type. Each must name identifiers (OpenID4VCI §6.2).
    pub(super) fn read_response(list: Vec<Value>) -> Result<Vec<Self>, DetailsError> {
        if list.is_empty() || list.len() > MAX_DETAILS {
            return Err(DetailsError::Malformed);
        }
        let mut details = Vec::new();
        for detail in list.into_iter().map(Self::one) {
            let Some(detail) = detail? else { continue };
            if detail.credential_identifiers.is_none() {
                return Err(DetailsError::Form);
            }
            details.push(detail);
        }
        Ok(details)
    }

    /// `None` for another type.
    fn one(value: Value) -> Result<Option<Self>, DetailsError> {
        match value.get("type").and_then(Value::as_str) {
            None => return Err(DetailsError::Malformed),
            Some(OPENID_CREDENTIAL) => {}
            Some(_) => return Ok(None),
        }
        let detail: Self = strict::from_value(value).map_err(|_| DetailsError::Form)?;
        let short = |text: &String| (1..=wire::MAX_TEXT).contains(&text.len());
        let list = |list: &Option<Vec<String>>| {
            list.as_ref()
                .is_none_or(|list| !list.is_empty() && list.iter().all(short))
        };
        let claims = detail.claims.as_ref().is_none_or(|claims| !claims.is_empty());
        if short(&detail.credential_configuration_id)
            && list(&detail.locations)
            && list(&detail.credential_identifiers)
            && claims
        {
            Ok(Some(detail))
        } else {
            Err(DetailsError::Form)
        }
    }
}
