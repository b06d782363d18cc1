//! The wallet and addresses that others chose: links, metadata and endpoints of issuers and verifiers.

use crate::{
    causes::with_causes,
    cli::{Exit, Failure},
    outside::{Answer, Outside, Request, Rules},
};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;
use vidimus_openid4vc::{
    vci::{MAX_RESPONSE, wallet as vci},
    vp,
};

/// Which addresses the wallet goes to.
#[derive(Debug, Clone, clap::Args)]
pub struct WebArguments {
    /// Servers on this machine may be spoken to too, without TLS: for trying things out.
    #[arg(long, global = true)]
    pub loopback: bool,
}

/// The client.
pub(super) struct Web(Outside);

/// What came back, as the state machines take it.
pub(super) struct Came {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Came {
    pub(super) fn as_vci(&self) -> vci::HttpResponse<'_> {
        vci::HttpResponse {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        }
    }
    pub(super) fn media_type(&self) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| name == "content-type");
        found.map(|(_, value)| value.as_str())
    }
}

impl From<Answer> for Came {
    fn from(answer: Answer) -> Self {
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        Self {
            status: answer.status.as_u16(),
            headers: answer.headers.iter().filter_map(text).collect(),
            body: answer.body.to_vec(),
        }
    }
}

impl Web {
    pub(super) fn new(arguments: &WebArguments) -> Result<Self, Failure> {
        // A crypto provider for TLS can be set once in a process; that it is there already is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let rules = Rules {
            loopback: arguments.loopback,
            ..Rules::default()
        };
        Outside::new(rules).map(Self).map_err(|error| Failure::setup(&error))
    }

    async fn send(
        &self,
        url: &str,
        body: Option<Vec<u8>>,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Came, Failure> {
        let refused = |error: crate::outside::Error| {
            let exit = match error {
                crate::outside::Error::Inside | crate::outside::Error::Scheme | crate::outside::Error::Url => {
                    Exit::Refused
                }
                _ => Exit::Unavailable,
            };
            Failure::new(exit, with_causes(&error))
        };
        let target = self.0.target(url).map_err(refused)?;
        let mut request = match body {
            Some(body) => Request::post(target, body),
            None => Request::get(target),
        };
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| Failure::new(Exit::Internal, "a header that cannot be written"))?;
            request = request.header(HeaderName::from_static(name), value);
        }
        let answer = self.0.send(request.at_most(MAX_RESPONSE)).await.map_err(refused)?;
        Ok(answer.into())
    }

    pub(super) async fn vci(&self, request: &vci::HttpRequest) -> Result<Came, Failure> {
        let body = (request.method == vci::Method::Post).then(|| request.body.clone().into_bytes());
        self.send(request.url.as_str(), body, request.headers.clone()).await
    }

    pub(super) async fn vp(&self, request: &vp::HttpRequest) -> Result<Came, Failure> {
        let mut headers = vec![("accept", request.accept.to_owned())];
        if request.body.is_some() {
            headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        }
        let body = request.body.clone().map(String::into_bytes);
        self.send(request.url.as_str(), body, headers).await
    }

    pub(super) async fn get(&self, url: &str) -> Result<Came, Failure> {
        self.send(url, None, [("accept", "application/json".to_owned())]).await
    }

    /// POST of JSON; its JSON answer, or none where the status says no.
    pub(super) async fn post_json(&self, url: &str, body: &Value) -> Result<Option<Value>, Failure> {
        let headers = [
            ("accept", "application/json".to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        let came = self.send(url, Some(body.to_string().into_bytes()), headers).await?;
        Ok(if (200..300).contains(&came.status) {
            serde_json::from_slice(&came.body).ok()
        } else {
            None
        })
    }
}
