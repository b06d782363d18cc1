//! The page on which a person permits a wallet: without scripts, and without anything from elsewhere.

use super::{
    error::{Failure, Told},
    wallets::document,
};
use crate::app::{
    App,
    wallets::{
        Site,
        authorize::{Asked, Notice, Shown, Step},
        metadata::endpoints,
    },
};
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use vidimus_core::{Provider as _, encoding::base64};
use vidimus_openid4vc::oauth::Opaque;

/// The page's cookie: this host's alone, over TLS alone, and never from another site.
const COOKIE: &str = "__Host-vidimus-authorize";

const STYLE: &str = "body{font:1.1em/1.5 system-ui,sans-serif;max-width:32em;margin:2em auto;padding:0 1em}\
    input{font-size:1.2em;max-width:100%}input[type=checkbox]{width:auto}button{font-size:1.1em;padding:.4em 1em}";

/// What a browser brings of an earlier page.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

pub(super) fn show(app: &App, site: &Site, shown: Shown) -> Result<Response, Failure> {
    match shown {
        Shown::Elsewhere(location) => {
            let location = HeaderValue::from_str(&location).map_err(|_| Failure::internal())?;
            Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
        }
        Shown::Over(text) => Ok(over(app, text)),
        Shown::Ask(asked) => {
            let mut response = page(app, &form(site, &asked));
            if let Some(value) = asked.cookie {
                let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict", value.expose());
                let cookie = HeaderValue::from_str(&cookie).map_err(|_| Failure::internal())?;
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
    }
}

/// There is nothing to go on with.
pub(super) fn over(app: &App, text: &str) -> Response {
    let mut response = page(app, &format!("<p>{}</p>", escape(text)));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.extensions_mut().insert(Told("authorization-over"));
    response
}

/// What the person is asked, by what was asked before.
fn form(site: &Site, asked: &Asked) -> String {
    const LOST: &str = "<p><label><input type=\"checkbox\" name=\"lost\" value=\"yes\"> My wallet is lost: what it holds of this does not count any more</label></p>";
    const CODE: &str = "<p><input id=\"code\" name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"20\" autofocus></p>";
    // Within a page that asks for something else too, Enter is for that.
    let service = asked.service.as_ref().map(|name| {
        format!(
            "<p><button name=\"identity\" value=\"yes\">Show who you are with {}</button></p>",
            escape(name)
        )
    });
    let (wrong, fields) = match asked.step {
        Step::Offer => (
            "The code is not right.",
            format!("<p><label for=\"code\">The code that you were given or sent</label></p>{CODE}"),
        ),
        Step::Contact => (
            "This is no mail address or telephone number (+43…), or no date of birth (1986-02-11).",
            "<p>To get a certificate again that was issued to you, say where its issuer reaches you, and when you were born.</p>\
             <p><label for=\"contact\">Mail address or telephone number (+43…)</label></p>\
             <p><input id=\"contact\" name=\"contact\" maxlength=\"254\" autocomplete=\"email\" autofocus></p>\
             <p><label for=\"birth_date\">Date of birth as in your document (1986-02-11)</label></p>\
             <p><input id=\"birth_date\" name=\"birth_date\" maxlength=\"10\" autocomplete=\"bday\"></p>"
                .to_owned(),
        ),
        Step::Code => (
            "The code is not right.",
            format!(
                "<p>If the issuer has a valid certificate of yours with this address and date of birth, a code is on its way to you.</p>\
                 <p><label for=\"code\">The code</label></p>{CODE}\
                 {LOST}"
            ),
        ),
        Step::Service => (
            "",
            "<p>To get a certificate again that was issued to you, show who you are.</p>".to_owned(),
        ),
        Step::Identified => {
            let code = escape(asked.service_code.as_ref().map_or("", Opaque::expose));
            let name = escape(asked.service.as_deref().unwrap_or_default());
            (
                "",
                format!(
                    "<p>{name} is asked who you are, and your certificates are looked up by your identity document.</p>\
                     <input type=\"hidden\" name=\"identity_code\" value=\"{code}\">{LOST}"
                ),
            )
        }
    };
    let notice = match asked.notice {
        None => String::new(),
        Some(Notice::Wrong) => format!("<p role=\"alert\"><strong>{wrong}</strong> Check it and try again.</p>"),
        Some(Notice::NotIdentified) => {
            "<p role=\"alert\"><strong>The service did not say who you are.</strong> Try again, or ask the issuer.</p>".to_owned()
        }
        Some(Notice::NothingValid) => "<p role=\"alert\"><strong>This issuer has no valid certificate of yours with the document that the service \
             named.</strong> Ask the issuer.</p>"
            .to_owned(),
    };
    let go_on = match asked.step {
        Step::Contact => "<button>Go on</button>",
        Step::Service => "",
        _ => "<button>Allow</button>",
    };
    let titles: String = asked
        .titles
        .iter()
        .map(|title| format!("<li>{}</li>", escape(title)))
        .collect();
    format!(
        "<h1>{issuer}</h1><p>The wallet <strong>{wallet}</strong> asks to keep, and is answered at <strong>{at}</strong>:</p><ul>{titles}</ul>{notice}\
         <form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"page\" value=\"{page}\">{fields}\
         <p>{go_on} <button name=\"decline\" value=\"yes\">Decline</button></p>{service}</form>",
        issuer = escape(&asked.issuer),
        wallet = escape(&asked.wallet),
        action = escape(site.endpoint(endpoints::AUTHORIZE).as_str()),
        at = escape(&asked.at),
        page = escape(&asked.form),
        service = service
            .filter(|_| matches!(asked.step, Step::Contact | Step::Service))
            .unwrap_or_default(),
    )
}

fn page(app: &App, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Vidimus</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    );
    let style = base64(app.provider.sha256(&[STYLE.as_bytes()]).as_bytes());
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'");
    let mut response = document("text/html; charset=utf-8", html);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
