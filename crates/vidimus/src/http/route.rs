//! The one way a handler becomes reachable: on an operation, behind the gate of that operation's row.

use super::{
    Guard, auth,
    edge::Matched,
    error::Failure,
    operation::{Access, BodyLimit, Operation, Row},
};
use crate::app::App;
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::runtime::Handle;
use tracing::Instrument as _;
use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, ResponseBuilder,
    path::{Operation as Description, PathItem},
    security::SecurityRequirement,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// Name of the security scheme in the API description.
pub const SECURITY_SCHEME: &str = "api_key";

/// The routes of the API: each an operation and its handler.
#[derive(Default)]
pub struct Routes {
    entries: Vec<(Row, UtoipaMethodRouter<Arc<App>>)>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.entries.iter().map(|(row, _)| row.operation))
            .finish()
    }
}

#[derive(Clone)]
struct Gate {
    guard: Arc<Guard>,
    row: Row,
    /// Largest body.
    bytes: usize,
}

impl Routes {
    /// Serves `operation` by a handler (`routes!(handler)`), whose description must stand at the row's method and path.
    ///
    /// # Panics
    /// When handler and row disagree: a mistake in this program that every start and every test finds.
    #[must_use]
    pub fn on(mut self, operation: Operation, (schemas, mut paths, methods): UtoipaMethodRouter<Arc<App>>) -> Self {
        let row = operation.row();
        let described: Vec<_> = paths.paths.keys().cloned().collect();
        assert_eq!(
            described,
            [row.path],
            "the handler of {operation:?} describes another path"
        );
        let item = paths.paths.get_mut(row.path).expect("just compared");
        let description = described_operation(item, &row.method)
            .unwrap_or_else(|| panic!("the handler of {operation:?} describes another method"));
        complete(description, &row);
        self.entries.push((row, (schemas, paths, methods)));
        self
    }

    /// The description of the API.
    pub fn description(self, base: OpenApi) -> OpenApi {
        self.whole()
            .into_iter()
            .fold(OpenApiRouter::with_openapi(base), |router, (_, route)| {
                router.routes(route)
            })
            .into_openapi()
    }

    /// The router, each operation behind its gate.
    pub fn router(self, guard: &Arc<Guard>) -> Router<Arc<App>> {
        let limits = &guard.app.config.server.limits;
        let mut router = Router::new();
        for (row, (_, _, methods)) in self.whole() {
            let bytes = match row.body {
                BodyLimit::Empty => 0,
                BodyLimit::Small => limits.body_bytes,
                BodyLimit::Large => limits.large_body_bytes,
                BodyLimit::TrustList => limits.large_body_bytes.saturating_add(limits.trust_list_bytes),
            };
            let path = row.path;
            let gate = Gate {
                guard: guard.clone(),
                row,
                bytes,
            };
            let methods = methods
                .route_layer(DefaultBodyLimit::max(bytes))
                .route_layer(middleware::from_fn_with_state(gate, pass_gate));
            router = router.route(path, methods);
        }
        router
    }

    /// Every operation has exactly one route; anything else is a mistake in this program that every start and every test finds.
    fn whole(self) -> Vec<(Row, UtoipaMethodRouter<Arc<App>>)> {
        let mut seen = BTreeSet::new();
        for (row, _) in &self.entries {
            assert!(seen.insert(row.operation), "{:?} is served twice", row.operation);
        }
        let missing: Vec<_> = Operation::ALL
            .iter()
            .filter(|operation| !seen.contains(operation))
            .collect();
        assert!(missing.is_empty(), "operations without a route: {missing:?}");
        self.entries
    }
}

fn described_operation<'p>(item: &'p mut PathItem, method: &Method) -> Option<&'p mut Description> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// Adds to a handler's description what its row and this service say: who may call it, and how errors look.
fn complete(description: &mut Description, row: &Row) {
    let name = row.operation.name();
    description.operation_id = Some(name[..1].to_ascii_lowercase() + &name[1..]);
    let who = match row.access {
        Access::Anybody => None,
        Access::Only(roles, permission) => {
            let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
            Some(format!("For: {}. API key permission: `{}`.", roles.join(", "), permission.name()))
        }
        Access::Metrics => Some("API key permission: `operate`, unless the operator made it public.".to_owned()),
        Access::Rpc => Some(
            "Reading calls need no API key unless the operator says so; sending a transaction takes one with `operate`."
                .to_owned(),
        ),
    };
    if let Some(who) = who {
        let text = description.description.take().unwrap_or_default();
        description.description = Some(if text.is_empty() {
            who
        } else {
            format!("{text}\n\n{who}")
        });
        description.security = Some(vec![SecurityRequirement::new(SECURITY_SCHEME, Vec::<String>::new())]);
    }
    let problem = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ProblemDocument")))
        .build();
    let response = ResponseBuilder::new()
        .description("A problem document (RFC 9457)")
        .content("application/problem+json", problem)
        .build();
    description
        .responses
        .responses
        .insert("default".into(), response.into());
}

async fn pass_gate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Gate { guard, row, bytes } = gate;
    if let Some(matched) = request.extensions().get::<Matched>() {
        let _ = matched.0.set(row.operation);
    }
    match auth::admit(&guard, &row, request.headers()).await {
        Ok(Some(principal)) => {
            request.extensions_mut().insert(principal);
        }
        Ok(None) => {}
        Err(failure) => return failure.into_response(),
    }
    if row.method.is_safe() {
        return next.run(request).await;
    }
    // What changes something runs to its end, also when the client goes away or its time is over: half of it must not be left. Its body is
    // here before it begins, so that a client that sends slowly holds up nothing but itself.
    let request = match received(request, bytes).await {
        Ok(request) => request,
        Err(failure) => return failure.into_response(),
    };
    ToItsEnd(Some(Box::pin(next.run(request).in_current_span()))).await
}

/// Runs where it is waited for, and goes on by itself when nobody waits any more.
struct ToItsEnd<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Put back only where it is to go on: not after a panic.
        let mut work = self.0.take().expect("not asked again after its end");
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        // While the program ends there may be no runtime any more.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// The request with its whole body in memory.
async fn received(request: Request, most: usize) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    if most == 0 {
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    let declared = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > most) {
        return Err(Failure::too_large());
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(Request::from_parts(parts, Body::from(collected.to_bytes()))),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::too_large()),
        Err(_) => Err(Failure::bad_request().detail("the request body broke off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, poll};
    use std::panic::AssertUnwindSafe;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it() {
        let ((go, gone), (done, finished)) = (oneshot::channel::<()>(), oneshot::channel());
        let mut work = ToItsEnd(Some(Box::pin(async {
            gone.await.unwrap();
            done.send(7).unwrap();
        })));
        assert!(poll!(&mut work).is_pending());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(finished.await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_is_waited_for_gives_what_it_gives_once() {
        assert_eq!(ToItsEnd(Some(Box::pin(async { 7 }))).await, 7);
        let (done, finished) = oneshot::channel::<()>();
        let broken = ToItsEnd(Some(Box::pin(async {
            let _held = done;
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "a mistake");
        })));
        assert!(AssertUnwindSafe(broken).catch_unwind().await.is_err());
        assert!(finished.await.is_err(), "nothing of it is left");
    }
}
