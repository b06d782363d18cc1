//! Error codes (§8.5, RFC 6749 §4.1.2.1, RFC 9101 §7) and the response that carries one.

use crate::{
    codes::codes,
    oauth::{Form, plain},
};
use serde_json::{Map, Value};

codes! {
    /// Why a wallet does not present.
    ErrorCode:
    /// A parameter is missing, contradicts another or has the wrong form; or the client identifier's prefix is not supported or not kept to.
    InvalidRequest = "invalid_request";
    /// Metadata of a client that is known already came again.
    InvalidClient = "invalid_client";
    /// A scope that is not known; here, all.
    InvalidScope = "invalid_scope";
    /// Nothing that fits is held, or its holder said no. The two are not told apart.
    AccessDenied = "access_denied";
    /// No format that is asked for is supported.
    VpFormatsNotSupported = "vp_formats_not_supported";
    /// `request_uri_method` is neither `get` nor `post`.
    InvalidRequestUriMethod = "invalid_request_uri_method";
    /// Transaction data of an unknown type or form, or for a credential that is not asked for.
    InvalidTransactionData = "invalid_transaction_data";
    /// No wallet answered.
    WalletUnavailable = "wallet_unavailable";
    /// The response type is not `vp_token`.
    UnsupportedResponseType = "unsupported_response_type";
    /// The request object does not verify or is not readable (RFC 9101 §7).
    InvalidRequestObject = "invalid_request_object";
    /// The request object is not where `request_uri` says (RFC 9101 §7).
    InvalidRequestUri = "invalid_request_uri";
    /// Something unexpected in the wallet.
    ServerError = "server_error";
}

/// An error response, as a wallet sends it in place of a `vp_token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The code, in the characters of RFC 6749 §4.1.2.1, at most 100 of them; it may be one that is not in [`ErrorCode`].
    pub error: String,
    /// A sentence by the wallet's maker: shown, if at all, as theirs.
    pub description: Option<String>,
    /// `state` of the request.
    pub state: Option<String>,
}

impl ErrorResponse {
    /// The code, where it is a known one.
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_name(&self.error)
    }
    /// From form parameters. `None` where there is no readable `error`.
    pub(super) fn from_form(form: &Form) -> Option<Self> {
        Self::read(|name| form.get(name))
    }
    /// From the members of an encrypted response.
    pub(super) fn from_members(members: &Map<String, Value>) -> Option<Self> {
        Self::read(|name| members.get(name).and_then(Value::as_str))
    }
    fn read<'v>(member: impl Fn(&str) -> Option<&'v str>) -> Option<Self> {
        let readable = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        let error = member("error").filter(|text| (1..=100).contains(&text.len()) && readable(text))?;
        Some(Self {
            error: error.to_owned(),
            description: member("error_description").map(plain),
            state: member("state").map(str::to_owned),
        })
    }
}
