//! Requests and responses, as the caller sends and receives them.

use crate::oauth::Endpoint;
use std::fmt;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

impl Method {
    /// In capitals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request to send. `Debug` hides headers and body: tokens and codes are in them.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Where to. Whether the host may be reached at all is the caller's to decide, when it connects.
    pub url: Endpoint,
    /// Headers, with their names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl HttpRequest {
    pub(super) fn get(url: Endpoint, accept: &str) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: vec![("accept", accept.to_owned())],
            body: String::new(),
        }
    }
    pub(super) fn post(url: Endpoint, content_type: &str, body: String) -> Self {
        let headers = vec![
            ("accept", "application/json".to_owned()),
            ("content-type", content_type.to_owned()),
        ];
        Self {
            method: Method::Post,
            url,
            headers,
            body,
        }
    }
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.url)
    }
}

/// What came back. `Debug` hides headers and body.
#[derive(Clone, Copy)]
pub struct HttpResponse<'a> {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: &'a [(String, String)],
    /// The body, of which the caller reads no more than [`super::super::MAX_RESPONSE`].
    pub body: &'a [u8],
}

impl fmt::Debug for HttpResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.len())
    }
}

impl<'a> HttpResponse<'a> {
    /// The value of a header that is there once.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut all = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (all.next(), all.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
    /// Whether the body is of a media type, parameters aside.
    pub fn is(&self, media_type: &str) -> bool {
        let named = self.header("content-type").unwrap_or_default();
        let bare = named.split(';').next().unwrap_or_default();
        bare.trim().eq_ignore_ascii_case(media_type)
    }
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
