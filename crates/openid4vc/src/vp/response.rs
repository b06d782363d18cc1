//! The authorization response, as the verifier reads it (§8).

use super::{ErrorResponse, MAX_RESPONSE, ResponseMode, Session, TokenError, VpToken};
use crate::{
    jwe::{Jwe, JweError, PrivateKey},
    oauth::{Form, FormError},
};
use serde_json::{Map, Value};
use std::fmt;
use subtle::ConstantTimeEq;
use vidimus_core::{Encryption, Timestamp};
use vidimus_credential::json::{self, JsonError};

/// Why a response is not taken. The wallet is to blame, or whoever pretends to be it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not a readable form within bounds.
    #[error("the response is not readable")]
    Form(#[source] FormError),
    /// It holds neither `response` nor `vp_token` nor a readable `error`, or more than one of them.
    #[error("the response holds neither a vp_token nor an error")]
    Empty,
    /// It came in plain text where an encrypted one was asked for, or the other way round.
    #[error("the response is not encrypted as was asked")]
    Mode,
    /// Not a readable JWE, encrypted to another key, or with an algorithm that was not offered.
    #[error("the encrypted response does not open")]
    Jwe(#[source] JweError),
    /// It is encrypted to the key of another session.
    #[error("the response is encrypted to the key of another session")]
    OtherKey,
    /// What is inside is not the JSON it must be.
    #[error("the response's content is not readable")]
    Json(#[source] JsonError),
    /// `state` is missing or another session's.
    #[error("the response is for another session")]
    State,
    /// The session is over.
    #[error("the session is over")]
    Expired,
    /// The `vp_token` is not one, or does not answer the query.
    #[error("the vp_token is not accepted")]
    Token(#[source] TokenError),
}

/// What was posted to `response_uri`, read as far as it goes without its session.
#[derive(Clone)]
pub struct Posted(Body);

#[derive(Clone)]
enum Body {
    Encrypted {
        response: String,
        kid: Option<String>,
        state: Option<String>,
    },
    Token {
        token: String,
        state: Option<String>,
    },
    Error(ErrorResponse),
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Body::Encrypted { .. } => "Posted(encrypted)",
            Body::Token { .. } => "Posted(vp_token)",
            Body::Error(_) => "Posted(error)",
        })
    }
}

/// By what the session of a response is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKey<'a> {
    /// [`Session::state`].
    State(&'a str),
    /// [`Session::kid`].
    Kid(&'a str),
    /// Neither is there; the path may say.
    Unknown,
}

/// What a wallet answered. Nothing that is presented is verified.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Presentations for the credential queries.
    Presented(VpToken),
    /// None.
    Declined(ErrorResponse),
}

impl Posted {
    /// Reads a body of at most [`MAX_RESPONSE`] bytes. Parameters that are not known are ignored (§8.1).
    pub fn parse(body: &[u8]) -> Result<Self, ResponseError> {
        let form = Form::parse_bounded(body, MAX_RESPONSE).map_err(ResponseError::Form)?;
        let text = |name: &str| form.get(name).map(str::to_owned);
        Ok(Self(match (text("response"), text("vp_token"), form.get("error")) {
            (Some(response), None, None) => {
                let jwe = Jwe::parse(&response, MAX_RESPONSE).map_err(ResponseError::Jwe)?;
                let kid = jwe.kid().map(str::to_owned);
                Body::Encrypted {
                    kid,
                    response,
                    state: text("state"),
                }
            }
            (None, Some(token), None) => Body::Token {
                token,
                state: text("state"),
            },
            (None, None, Some(_)) => Body::Error(ErrorResponse::from_form(&form).ok_or(ResponseError::Empty)?),
            _ => return Err(ResponseError::Empty),
        }))
    }

    /// By what its session is found.
    pub fn session_key(&self) -> SessionKey<'_> {
        let (kid, state) = match &self.0 {
            Body::Encrypted { kid, state, .. } => (kid, state),
            Body::Token { state, .. } => (&None, state),
            Body::Error(error) => (&None, &error.state),
        };
        match (kid, state) {
            (Some(kid), _) => SessionKey::Kid(kid),
            (None, Some(state)) => SessionKey::State(state),
            (None, None) => SessionKey::Unknown,
        }
    }

    /// Reads it as the answer to `session`, whose encryption key is `private`. A response for another session, another key or after its time is
    /// refused; whoever calls this has taken the session, so that no second answer comes through.
    pub fn read(
        &self,
        session: &Session,
        private: Option<&PrivateKey>,
        now: Timestamp,
        crypto: &dyn Encryption,
    ) -> Result<Answer, ResponseError> {
        if !session.is_open(now) {
            return Err(ResponseError::Expired);
        }
        match &self.0 {
            // A wallet that cannot encrypt may say so in plain text (§8.3.1).
            Body::Error(error) => {
                check_state(session, error.state.as_deref())?;
                Ok(Answer::Declined(error.clone()))
            }
            Body::Token { token, state } => {
                if session.response_mode != ResponseMode::DirectPost {
                    return Err(ResponseError::Mode);
                }
                check_state(session, state.as_deref())?;
                let token = json::parse(token.as_bytes(), MAX_RESPONSE).map_err(ResponseError::Json)?;
                presented(session, &token)
            }
            Body::Encrypted { response, kid, state } => {
                let Some(private) = private.filter(|_| session.response_mode == ResponseMode::DirectPostJwt) else {
                    return Err(ResponseError::Mode);
                };
                if *kid != session.kid {
                    return Err(ResponseError::OtherKey);
                }
                let jwe = Jwe::parse(response, MAX_RESPONSE).map_err(ResponseError::Jwe)?;
                let content = jwe.decrypt(private, None, crypto).map_err(ResponseError::Jwe)?;
                let members = json::parse_object(content.expose(), MAX_RESPONSE).map_err(ResponseError::Json)?;
                let inner = members.get("state").map(|state| state.as_str().unwrap_or_default());
                // Inside it is encrypted and outside not; whichever is there must fit.
                for given in [inner, state.as_deref()].into_iter().flatten() {
                    check_state(session, Some(given))?;
                }
                // Some wallets leave it out. Who encrypts to a key that only this request has, has read this request; where each presentation is
                // bound to its nonce, that will do.
                let is_bound = session
                    .query
                    .credentials()
                    .iter()
                    .all(|credential| credential.holder_binding);
                if inner.is_none() && state.is_none() && !is_bound {
                    return Err(ResponseError::State);
                }
                read_members(session, &members)
            }
        }
    }
}

fn read_members(session: &Session, members: &Map<String, Value>) -> Result<Answer, ResponseError> {
    match (members.get("vp_token"), members.contains_key("error")) {
        (Some(token), false) => presented(session, token),
        (None, true) => ErrorResponse::from_members(members)
            .map(Answer::Declined)
            .ok_or(ResponseError::Empty),
        _ => Err(ResponseError::Empty),
    }
}

fn presented(session: &Session, token: &Value) -> Result<Answer, ResponseError> {
    let token = VpToken::from_json(token).map_err(ResponseError::Token)?;
    token.check(&session.query).map_err(ResponseError::Token)?;
    Ok(Answer::Presented(token))
}

fn check_state(session: &Session, state: Option<&str>) -> Result<(), ResponseError> {
    let same = state.is_some_and(|state| bool::from(state.as_bytes().ct_eq(session.state.as_bytes())));
    same.then_some(()).ok_or(ResponseError::State)
}
