//! The description of the API, OpenAPI 3.1, made from the code.

use super::error::ProblemDocument;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use std::sync::LazyLock;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// What does not come from a handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vidimus",
        description = "Certificates about people, anchored on a ledger. Errors are problem documents (RFC 9457). \
                       Requests that create carry an `Idempotency-Key` header: the same key gives the same answer and is done once."
    ),
    components(schemas(ProblemDocument)),
    modifiers(&ApiKey)
)]
struct Base;

struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("vk_<id>_<secret>")
            .description(Some("An API key of a participant"))
            .build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme(super::route::SECURITY_SCHEME, SecurityScheme::Http(scheme));
    }
}

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut description = super::routes().description(Base::openapi());
    description.info.version = env!("CARGO_PKG_VERSION").to_owned();
    description.to_pretty_json().expect("a description is always JSON") + "\n"
});

/// The description as it is served and as `docs/openapi.json` holds it.
pub fn text() -> &'static str {
    &TEXT
}

/// This API's description (OpenAPI 3.1)
#[utoipa::path(get, path = "/openapi.json", tag = "service", responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
pub(super) async fn read() -> Response {
    let mut response = text().into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
