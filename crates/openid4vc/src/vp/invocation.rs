//! How a wallet is asked: a link, tapped or read from a QR code (§5, §9).

use super::{ClientId, MAX_REQUEST, RequestError};
use crate::oauth::{Endpoint, Form};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};
use url::Url;

/// Where a wallet is asked, for each request: `openid4vp://`, `haip-vp://`, another scheme of a wallet's own, or an https address of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WalletAddress(String);

/// The text is no address that a wallet is asked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a wallet is asked at openid4vp://, haip-vp://, another scheme of its own, or an https address")]
pub struct WalletAddressError;

impl WalletAddress {
    /// `openid4vp://` (§13.1.2).
    pub fn openid4vp() -> Self {
        Self("openid4vp://".into())
    }
    /// `haip-vp://` (HAIP 1.0 §5.1).
    pub fn haip() -> Self {
        Self("haip-vp://".into())
    }
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WalletAddress {
    type Err = WalletAddressError;
    fn from_str(text: &str) -> Result<Self, WalletAddressError> {
        /// Schemes that a browser gives a meaning of its own.
        const BROWSERS: [&str; 10] = [
            "http",
            "https",
            "ws",
            "wss",
            "ftp",
            "file",
            "data",
            "javascript",
            "blob",
            "about",
        ];
        if Endpoint::new(text).is_ok() {
            return Ok(Self(text.to_owned()));
        }
        let (scheme, rest) = text.split_once("://").ok_or(WalletAddressError)?;
        let in_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        let in_rest = |byte: u8| byte.is_ascii_alphanumeric() || b"-./".contains(&byte);
        let good = (1..=64).contains(&scheme.len())
            && scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(in_scheme)
            && !BROWSERS.contains(&scheme)
            && rest.len() <= 200
            && rest.bytes().all(in_rest);
        good.then(|| Self(text.to_owned())).ok_or(WalletAddressError)
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for WalletAddress {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WalletAddress {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How the request object is fetched (§5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestUriMethod {
    /// RFC 9101.
    Get,
    /// With what the wallet says of itself (§5.10).
    Post,
}

/// What a link holds. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq)]
pub enum Invocation {
    /// The request object is at a URL.
    Reference {
        /// `client_id`.
        client_id: ClientId,
        /// `request_uri`.
        request_uri: Endpoint,
        /// `request_uri_method`; `get` where there is none.
        method: RequestUriMethod,
    },
    /// The request object itself.
    Value {
        /// `client_id`.
        client_id: ClientId,
        /// `request`.
        request: String,
    },
    /// Parameters that nobody signed.
    Plain(Map<String, Value>),
}

impl Invocation {
    /// Reads a link of any scheme. Other parameters beside a request object are ignored: only what it holds counts (§5.10.1).
    pub fn parse(link: &str) -> Result<Self, RequestError> {
        if link.len() > MAX_REQUEST {
            return Err(RequestError::Link);
        }
        let url = Url::parse(link.trim()).map_err(|_| RequestError::Link)?;
        let form = Form::parse(url.query().ok_or(RequestError::Link)?.as_bytes()).map_err(RequestError::Parameters)?;
        let client_id = form.get("client_id").ok_or(RequestError::Missing("client_id"))?;
        let client_id: ClientId = client_id.parse().map_err(RequestError::ClientId)?;
        let method = match form.get("request_uri_method") {
            None => None,
            Some("get") => Some(RequestUriMethod::Get),
            Some("post") => Some(RequestUriMethod::Post),
            Some(_) => return Err(RequestError::Method),
        };
        match (form.get("request_uri"), form.get("request"), method) {
            (Some(_), Some(_), _) => Err(RequestError::Both("request", "request_uri")),
            (Some(uri), None, method) => Ok(Self::Reference {
                client_id,
                request_uri: Endpoint::new(uri).map_err(|_| RequestError::Form("request_uri"))?,
                method: method.unwrap_or(RequestUriMethod::Get),
            }),
            (None, _, Some(_)) => Err(RequestError::Missing("request_uri")),
            (None, Some(request), None) => Ok(Self::Value {
                client_id,
                request: request.to_owned(),
            }),
            (None, None, None) => {
                let parameters = form.iter().map(|(name, value)| (name.to_owned(), value.into()));
                Ok(Self::Plain(parameters.collect()))
            }
        }
    }

    /// `client_id`, as far as it was read.
    pub fn client_id(&self) -> Option<ClientId> {
        match self {
            Self::Reference { client_id, .. } | Self::Value { client_id, .. } => Some(client_id.clone()),
            Self::Plain(parameters) => parameters.get("client_id")?.as_str()?.parse().ok(),
        }
    }

    /// The link, and the text of its QR code.
    pub fn to_link(&self, wallet: &WalletAddress) -> String {
        let form = match self {
            Self::Reference {
                client_id,
                request_uri,
                method,
            } => Form::new()
                .with("client_id", &client_id.to_string())
                .with("request_uri", request_uri.as_str())
                .with_some(
                    "request_uri_method",
                    (*method == RequestUriMethod::Post).then_some("post"),
                ),
            Self::Value { client_id, request } => Form::new()
                .with("client_id", &client_id.to_string())
                .with("request", request),
            Self::Plain(parameters) => parameters.iter().fold(Form::new(), |form, (name, value)| match value {
                Value::String(text) => form.with(name, text),
                other => form.with(name, &other.to_string()),
            }),
        };
        let joint = if wallet.0.contains('?') { '&' } else { '?' };
        format!("{wallet}{joint}{}", form.encode())
    }
}
