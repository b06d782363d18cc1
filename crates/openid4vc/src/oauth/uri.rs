//! The URLs that identify servers and that requests go to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use url::{Host, Url};

/// The longest URL that is read.
pub const MAX_URL: usize = 2048;

/// Why a text is not read as a URL of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Not a URL, or longer than [`MAX_URL`].
    #[error("not a URL")]
    Malformed,
    /// Neither `https`, nor `http` to this machine itself.
    #[error("the URL must use https")]
    Scheme,
    /// It has a user name or password.
    #[error("the URL must not hold a user name or password")]
    User,
    /// It has a fragment, or a query where none may be.
    #[error("the URL must not have a query or fragment")]
    Component,
}

fn read(text: &str, query: bool) -> Result<Url, UriError> {
    if text.len() > MAX_URL || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(UriError::Malformed);
    }
    let url = Url::parse(text).map_err(|_| UriError::Malformed)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(UriError::Scheme),
    }
    if url.host().is_none() {
        return Err(UriError::Malformed);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UriError::User);
    }
    if url.fragment().is_some() || (!query && url.query().is_some()) {
        return Err(UriError::Component);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

macro_rules! urls {
    ($($(#[$doc:meta])* $name:ident($query:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Reads one; kept exactly as it is written.
            pub fn new(text: impl Into<String>) -> Result<Self, UriError> {
                let text = text.into();
                read(&text, $query)?;
                Ok(Self(text))
            }
            /// As it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// Parsed.
            pub fn url(&self) -> Url {
                Url::parse(&self.0).expect("it was parsed when it was made")
            }
            /// Whether it uses TLS; what does not goes to this machine itself.
            pub fn is_secure(&self) -> bool {
                self.url().scheme() == "https"
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = UriError;
            fn from_str(text: &str) -> Result<Self, UriError> {
                Self::new(text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

urls! {
    /// Identifies a credential issuer (OpenID4VCI §12.2.1) or an authorization server (RFC 8414 §2): `https`, or `http` to this machine itself,
    /// without query or fragment. Two are the same only where their texts are: nothing is normalised.
    Identifier(false);
    /// Where a request goes: `https`, or `http` to this machine itself, without fragment.
    Endpoint(true);
}

impl Identifier {
    /// Where a document about this one is: `/.well-known/name` between host and path (RFC 8414 §3.1, OpenID4VCI §12.2.2).
    pub fn well_known(&self, name: &str) -> Endpoint {
        let mut url = self.url();
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("/.well-known/{name}{path}"));
        Endpoint(url.into())
    }
}
