//! The one HTTP client for addresses that others chose: webhooks, push endpoints, documents that a message points to.
//!
//! Whoever names an address may name one inside the network that this process stands in. So only `https` is spoken; the addresses that a
//! name leads to are looked at in the resolver, which is what the connection is made to, and literal addresses before it; redirects are
//! followed only where the caller says so, each looked at like the first; what comes back is bounded in size and time. There is no proxy, no
//! cookie, no referrer. Errors never repeat an address: paths and queries of others may be secrets.

mod network;

pub use network::{Network, NetworkError, is_outside};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use reqwest::{
    Client, Method, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// Longest address that is taken.
const MAX_URL: usize = 2_048;
/// Largest answer, where the caller does not say otherwise.
const MAX_ANSWER: usize = 64 * 1024;
/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);
/// How long everything may take, where the caller does not say otherwise.
const TOTAL: Duration = Duration::from_secs(15);

/// What may be reached beside what everybody reaches.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Networks of one's own that may be reached, by https.
    pub networks: Vec<Network>,
    /// Whether loopback may be reached, by https and http: for trying things out on one machine.
    pub loopback: bool,
    /// More certificate authorities than the system's, PEM.
    pub authorities: Vec<u8>,
}

impl Rules {
    /// Whether a connection may be made to this address.
    pub fn admit(&self, address: IpAddr) -> bool {
        is_outside(address)
            || (self.loopback && address.is_loopback())
            || self.networks.iter().any(|network| network.contains(address))
    }
}

/// Why nothing came back. The text never has the address, nor anything that was sent or received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an address of the web.
    #[error("not a web address: https://, a host, at most 2048 characters, no user name or password, no fragment")]
    Url,
    /// Another scheme than https.
    #[error("the address is not https")]
    Scheme,
    /// The address is not reachable from everywhere, and the configuration does not allow it.
    #[error("the address leads into a private, local or reserved network, which the configuration does not allow")]
    Inside,
    /// The name has no address.
    #[error("the name of the host does not resolve")]
    Unresolved,
    /// Nobody answers there, or not with a certificate that is trusted.
    #[error("no connection: refused, unreachable, or the certificate is not trusted for the host")]
    Connect,
    /// It took too long.
    #[error("no whole answer in time")]
    Timeout,
    /// It points elsewhere, which the caller does not follow, or too often, or to where nothing may go.
    #[error("the answer redirects, which is not followed")]
    Redirect,
    /// The answer is larger than the caller takes.
    #[error("the answer is larger than is taken")]
    TooLarge,
    /// The answer broke off or is no HTTP.
    #[error("the answer broke off or is not HTTP")]
    Broken,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The additional certificate authorities are not PEM.
    #[error("outside.authorities holds no certificates in PEM")]
    Authorities,
    /// The machine's certificate authorities cannot be read.
    #[error("the client for addresses outside cannot be made: look whether the system has its certificate authorities")]
    Client(#[source] reqwest::Error),
}

/// An address that may be asked, as far as it can be told without resolving it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// An address under these rules.
    pub(crate) fn parse(text: &str, rules: &Rules) -> Result<Self, Error> {
        if text.len() > MAX_URL || text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return Err(Error::Url);
        }
        Self::look(Url::parse(text).map_err(|_| Error::Url)?, rules)
    }

    fn look(url: Url, rules: &Rules) -> Result<Self, Error> {
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() || url.port() == Some(0) {
            return Err(Error::Url);
        }
        // A literal address stands in its usual form here, however it was written.
        let host = url.host_str().ok_or(Error::Url)?;
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let loopback = address.map_or(host == "localhost", |address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if loopback && rules.loopback => {}
            _ => return Err(Error::Scheme),
        }
        if address.is_some_and(|address| !rules.admit(address)) {
            return Err(Error::Inside);
        }
        Ok(Self(url))
    }

    /// As text. It may hold what only its owner knows.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
    /// The host, in lower case; IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}/…)", self.origin())
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
    most: usize,
    within: Duration,
    redirects: u8,
    status_only: bool,
}

impl Request {
    /// Fetches a document.
    pub fn get(target: Target) -> Self {
        Self {
            method: Method::GET,
            target,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            most: MAX_ANSWER,
            within: TOTAL,
            redirects: 0,
            status_only: false,
        }
    }

    /// Sends a document.
    pub fn post(target: Target, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            body: body.into(),
            ..Self::get(target)
        }
    }

    /// With a header. Those that say who asks from where are not for callers to set.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        debug_assert!(![header::HOST, header::COOKIE, header::REFERER].contains(&name));
        self.headers.insert(name, value);
        self
    }

    /// An answer of at most so many bytes.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// The status and headers alone: the body is not read.
    #[must_use]
    pub fn status_only(mut self) -> Self {
        self.status_only = true;
        self
    }

    /// Everything, redirects and body included, within this time.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Follows so many redirects of a document that is fetched. What was sent is never sent elsewhere.
    #[must_use]
    pub fn following(mut self, redirects: u8) -> Self {
        self.redirects = redirects;
        self
    }
}

/// What came back, its body whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status; redirects that are not followed are an error.
    pub status: StatusCode,
    /// The headers. Whether the content type is one that the caller reads is the caller's to look at.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The media type, without parameters, in lower case; empty where there is none.
    pub fn media_type(&self) -> String {
        let value = self.headers.get(header::CONTENT_TYPE);
        let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// In how many seconds to come back, where the answer says so in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
    }
}

/// Turns a name into addresses.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The system's resolver.
pub fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Outside {
    client: Client,
    rules: Arc<Rules>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The resolver refused every address that a name has.
#[derive(Debug, thiserror::Error)]
#[error("inside")]
struct AllInside;

/// The resolver has no address for a name.
#[derive(Debug, thiserror::Error)]
#[error("unresolved")]
struct NoAddress;

struct Filter {
    rules: Arc<Rules>,
    lookup: Lookup,
}

impl Resolve for Filter {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, found) = (self.rules.clone(), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await.map_err(|_| NoAddress)?;
            if found.is_empty() {
                return Err(NoAddress.into());
            }
            let admitted: Vec<_> = found
                .into_iter()
                .filter(|address| rules.admit(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if admitted.is_empty() {
                return Err(AllInside.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

impl Outside {
    /// A client under these rules, with the system's resolver.
    pub fn new(rules: Rules) -> Result<Self, BuildError> {
        Self::with_lookup(rules, system())
    }

    /// A client that asks `lookup` for the addresses of names.
    pub fn with_lookup(rules: Rules, lookup: Lookup) -> Result<Self, BuildError> {
        let more = match rules.authorities.is_empty() {
            true => Vec::new(),
            false => reqwest::Certificate::from_pem_bundle(&rules.authorities)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or(BuildError::Authorities)?,
        };
        let rules = Arc::new(rules);
        let filter = Filter {
            rules: rules.clone(),
            lookup,
        };
        let client = Client::builder()
            .dns_resolver(filter)
            .tls_certs_merge(more)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .https_only(!rules.loopback)
            .connect_timeout(CONNECT)
            .http1_max_headers(64)
            // What a peer does on one connection is no other request's business, and an address is looked at anew each time.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("vidimus/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(BuildError::Client)?;
        Ok(Self { client, rules })
    }

    /// Reads an address as somebody gave it. What is inside by its literal address is refused here, what is by its name when it is asked.
    pub fn target(&self, text: &str) -> Result<Target, Error> {
        Target::parse(text, &self.rules)
    }

    /// Asks, and reads the whole answer.
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        let within = request.within;
        let answered = tokio::time::timeout(within, self.follow(request)).await;
        answered.unwrap_or(Err(Error::Timeout))
    }

    async fn follow(&self, request: Request) -> Result<Answer, Error> {
        let (mut target, mut headers) = (request.target.clone(), request.headers.clone());
        let mut left = if request.method == Method::GET {
            request.redirects
        } else {
            0
        };
        loop {
            let asked = self
                .client
                .request(request.method.clone(), target.0.clone())
                .headers(headers.clone())
                .body(request.body.clone());
            let response = asked.send().await.map_err(|error| failed(&error))?;
            if request.status_only && !response.status().is_redirection() {
                return read(response, None).await;
            }
            // 304 is no redirect: it points nowhere.
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                return read(response, Some(request.most)).await;
            }
            left = left.checked_sub(1).ok_or(Error::Redirect)?;
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok()).ok_or(Error::Redirect)?;
            let next = target.0.join(location).map_err(|_| Error::Redirect)?;
            let next = Target::look(next, &self.rules).map_err(|error| match error {
                Error::Inside => Error::Inside,
                _ => Error::Redirect,
            })?;
            if next.origin() != target.origin() {
                headers.remove(header::AUTHORIZATION);
            }
            target = next;
        }
    }
}

async fn read(mut response: reqwest::Response, most: Option<usize>) -> Result<Answer, Error> {
    let mut body = BytesMut::new();
    if let Some(most) = most {
        collect(&mut response, &mut body, most).await?;
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
    })
}

async fn collect(response: &mut reqwest::Response, body: &mut BytesMut, most: usize) -> Result<(), Error> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(Error::TooLarge);
    }
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > most {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

fn failed(error: &reqwest::Error) -> Error {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = at {
        if cause.is::<AllInside>() {
            return Error::Inside;
        }
        if cause.is::<NoAddress>() {
            return Error::Unresolved;
        }
        at = cause.source();
    }
    match error {
        error if error.is_timeout() => Error::Timeout,
        error if error.is_connect() => Error::Connect,
        _ => Error::Broken,
    }
}
