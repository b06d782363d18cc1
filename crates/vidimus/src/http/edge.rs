//! The outermost layer: what every request passes before anything looks at it, and every answer before it leaves.

use super::{
    Guard,
    error::{Failure, Told},
    limit::subscriber,
    metrics::Stopwatch,
    operation::{Access, Operation},
};
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tracing::Instrument;
use vidimus_core::id::RequestId;
use vidimus_crypto::OsEntropy;

/// Filled by the gate of the operation that a request turned out to be for.
#[derive(Debug, Clone, Default)]
pub(super) struct Matched(pub(super) Arc<OnceLock<Operation>>);

/// Who asks, as far as it can be known: an address, for counting ([`subscriber`]).
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| {
            tracing::error!("a handler asks who the client is where nobody looked");
            Failure::internal()
        })
    }
}

/// Header with the request's id, in every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn edge(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let id = RequestId::generate(&mut OsEntropy);
    let matched = Matched::default();
    let method = request.method().clone();
    request.extensions_mut().insert(matched.clone());
    request.extensions_mut().insert(id);
    let _in_flight = guard.metrics.enter();
    let span = tracing::info_span!("request", id = %id);

    let response = answer(&guard, request, next).instrument(span.clone()).await;

    let operation = matched.0.get().copied();
    let problem = response.extensions().get::<Failure>().cloned();
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let told = response.extensions().get::<Told>().copied();
    let problem = problem.or_else(|| (is_error && told.is_none()).then(|| Failure::for_status(status)));
    let name = problem.as_ref().map_or(told.map_or("", |told| told.0), Failure::name);
    let mut response = match problem {
        Some(failure) => failure.render(id, response.headers()),
        None => response,
    };
    harden(&mut response, &guard, operation, &method, id);
    let (status, took) = (response.status().as_u16(), watch.elapsed());
    guard.metrics.answered(operation, status, took);
    span.in_scope(|| {
        tracing::info!(
            operation = operation.map_or("none", Operation::name),
            status,
            problem = name,
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    });
    response
}

/// Admits the request, runs it within its time, and turns a panic into an answer.
async fn answer(guard: &Guard, mut request: Request, next: Next) -> Response {
    let probe = matches!(request.uri().path(), "/livez" | "/readyz");
    let _permit = match guard.permits.try_acquire() {
        Ok(permit) => Some(permit),
        Err(_) if probe => None,
        Err(_) => {
            guard.metrics.shed();
            return Failure::busy().into_response();
        }
    };
    if !probe {
        let connection = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip());
        let client = client_address(connection, request.headers(), &guard.app.config.server.trusted_proxies);
        let client = Client(subscriber(client));
        request.extensions_mut().insert(client);
        if let Err(seconds) = guard.address_rate.take(client.0, guard.app.clock.now()) {
            guard.metrics.limited();
            return Failure::rate().retry_after(seconds).into_response();
        }
    }
    let limit = Duration::from_secs(guard.app.config.server.limits.request_seconds);
    match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => Failure::internal().into_response(),
        Err(_elapsed) => Failure::timeout().into_response(),
    }
}

/// The client as far as it can be known: the nearest address in front of the proxies that are trusted.
pub(crate) fn client_address(connection: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let connection = connection.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    if !trusted.contains(&connection) {
        return connection;
    }
    let mut client = connection;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        for hop in value.to_str().unwrap_or_default().rsplit(',') {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else {
                return client;
            };
            client = hop.to_canonical();
            if !trusted.contains(&client) {
                return client;
            }
        }
    }
    client
}

/// Headers that every answer carries.
fn harden(response: &mut Response, guard: &Guard, operation: Option<Operation>, method: &Method, id: RequestId) {
    let public = operation.is_some_and(|operation| operation.row().access == Access::Anybody)
        && !matches!(operation, Some(Operation::Authorize | Operation::ReturnIdentified))
        && matches!(*method, Method::GET | Method::HEAD);
    let headers = response.headers_mut();
    headers.insert(
        REQUEST_ID,
        HeaderValue::from_str(&id.to_string()).expect("an id is ASCII"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // A page brings its own; all else is no page.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if public {
        // What anybody may read, a page of any origin may read too; no answer ever depends on a cookie, but on the page that makes one (FAPI
        // 2.0 §5.2.3).
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if guard.app.config.server.public_url.as_str().starts_with("https://") {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if guard.stopping() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The answer to a path that is not served.
pub(super) async fn not_found() -> Failure {
    Failure::not_found()
}

/// The answer to a method that a path does not take; axum has put what it takes into `Allow`.
pub(super) async fn method_not_allowed() -> Failure {
    Failure::method()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6, 1.2.3.4".parse().unwrap());
        headers.append("x-forwarded-for", "10.0.0.9".parse().unwrap());
        let trusted = [ip("10.0.0.1"), ip("10.0.0.9")];
        assert_eq!(client_address(Some(ip("9.9.9.9")), &headers, &trusted), ip("9.9.9.9"));
        assert_eq!(client_address(Some(ip("10.0.0.1")), &headers, &trusted), ip("1.2.3.4"));
        assert_eq!(client_address(Some(ip("10.0.0.1")), &headers, &[]), ip("10.0.0.1"));
        headers.insert("x-forwarded-for", "nonsense".parse().unwrap());
        assert_eq!(client_address(Some(ip("10.0.0.1")), &headers, &trusted), ip("10.0.0.1"));
    }
}
