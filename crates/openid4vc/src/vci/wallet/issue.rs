//! From the token to the copies: nonce, proofs, credential request, deferred requests and the notification.

use super::{
    Context, HolderKey, HttpResponse, Issuance, Next, Place, Prove, Received, WalletError, answer,
    begin::expect,
    machine::{Item, ResponseKey, Sent, State, TokenBy, pick, refusal},
};
use crate::{
    oauth::Opaque,
    vci::{
        CredentialRequest, CredentialResponse, DeferredRequest, Event, MAX_RESPONSE, NonceResponse, Notification,
        encryption,
        metadata::{Configuration, ProofType},
        proof::{Draft, KeyName},
        request::{EncryptTo, Proofs, Requested},
    },
};
use vidimus_core::{Secret, Timestamp, encoding};

const JSON: &str = "application/json";

impl Issuance {
    fn item(&self) -> Result<&Item, WalletError> {
        self.queue.first().ok_or(WalletError::Step)
    }
    fn configuration(&self) -> Result<&Configuration, WalletError> {
        let id = &self.item()?.configuration;
        let supported = &self.metadata()?.credential_configurations_supported;
        supported.get(id).ok_or(WalletError::NothingOffered)
    }

    /// The proof type that is used for a configuration: proofs of possession rather than an attestation alone.
    fn proof_type(&self) -> Result<Option<(&'static str, &ProofType)>, WalletError> {
        let configuration = self.configuration()?;
        if configuration.proof_types_supported.is_none() {
            return Ok(None);
        }
        let known = ["jwt", "attestation"]
            .into_iter()
            .find_map(|name| Some((name, configuration.proof_type(name)?)));
        known.map(Some).ok_or(WalletError::Algorithm("holder's"))
    }

    /// Begins with the credential that is next in the queue.
    pub(super) fn begin_item(&mut self, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let Some(item) = self.queue.first() else {
            self.state = State::Done;
            return Ok(Next::Done);
        };
        let most = self.metadata()?.batch_size();
        if item.copies == 0 || item.copies > most {
            return Err(WalletError::Choice);
        }
        if self.proof_type()?.is_none() {
            return self.request_credential(None, 1, context);
        }
        if self.metadata()?.nonce_endpoint.is_some() {
            self.state = State::Nonce;
            return self.send(context);
        }
        self.ask_proofs(None)
    }

    pub(super) fn next_item(&mut self, context: &mut Context<'_>) -> Result<Next, WalletError> {
        if !self.queue.is_empty() {
            self.queue.remove(0);
        }
        self.renewed = false;
        self.anew = false;
        self.begin_item(context)
    }

    pub(super) fn nonce_came(&mut self, response: &HttpResponse<'_>) -> Result<Next, WalletError> {
        expect(Place::Nonce, response, JSON)?;
        let nonce = answer(Place::Nonce, NonceResponse::parse(response.body))?;
        self.ask_proofs(Some(nonce.c_nonce))
    }

    pub(super) fn ask_proofs(&mut self, nonce: Option<String>) -> Result<Next, WalletError> {
        let (name, proof_type) = self.proof_type()?.ok_or(WalletError::Step)?;
        let methods = &self.configuration()?.cryptographic_binding_methods_supported;
        let alone = name == "attestation";
        let attestation = proof_type.key_attestations_required.clone();
        let prove = Prove {
            configuration: self.item()?.configuration.clone(),
            keys: self.item()?.copies,
            algorithms: proof_type.algorithms(),
            binding_methods: methods.clone().unwrap_or_default(),
            nonce: nonce.clone(),
            attestation: if alone {
                Some(attestation.unwrap_or_default())
            } else {
                attestation
            },
            attestation_alone: alone,
        };
        self.state = State::Prove { nonce };
        Ok(Next::Prove(prove))
    }

    /// Gives the keys to bind the copies to, in answer to [`Next::Prove`], and their attestation where one is asked for, or there is one: it
    /// names all of them, in this order.
    pub fn prove(
        &mut self,
        keys: &[HolderKey<'_>],
        attestation: Option<String>,
        context: &mut Context<'_>,
    ) -> Result<Next, WalletError> {
        let State::Prove { nonce } = &self.state else {
            return Err(WalletError::Step);
        };
        let (name, proof_type) = self.proof_type()?.ok_or(WalletError::Step)?;
        let publics: Vec<_> = keys.iter().map(|key| key.signer.public_key()).collect();
        let once = publics.iter().enumerate().all(|(at, key)| !publics[..at].contains(key));
        let missing =
            attestation.is_none() && (name == "attestation" || proof_type.key_attestations_required.is_some());
        if keys.len() != self.item()?.copies || !once || missing {
            return Err(WalletError::Keys);
        }
        let proofs = match attestation {
            Some(attestation) if name == "attestation" => Proofs::Attestation(attestation),
            attestation => {
                // One proof stands for all keys of its attestation (appendix F.1).
                let signing = if attestation.is_some() { &keys[..1] } else { keys };
                let listed = Some(&proof_type.proof_signing_alg_values_supported);
                let methods = self.configuration()?.cryptographic_binding_methods_supported.as_deref();
                let by_key = methods.is_none_or(|methods| methods.iter().any(|method| method == "jwk"));
                let named = self.tokens.as_ref().is_some_and(|tokens| tokens.named);
                let client = self.client.as_ref().filter(|_| named);
                let draft = Draft {
                    issuer: &self.metadata()?.credential_issuer,
                    nonce: nonce.as_deref(),
                    client_id: client.map(|client| client.client_id.as_str()),
                    key_attestation: attestation.as_deref(),
                    issued_at: context.now,
                };
                let tokens: Result<Vec<String>, WalletError> = signing
                    .iter()
                    .map(|key| {
                        let algorithm = pick(key.signer, listed).ok_or(WalletError::Algorithm("holder's"))?;
                        let name = match (by_key, key.kid) {
                            (true, _) => KeyName::Jwk,
                            (false, Some(kid)) => KeyName::Did(kid),
                            (false, None) => return Err(WalletError::Keys),
                        };
                        Ok(draft.sign(key.signer, algorithm, name)?)
                    })
                    .collect();
                Proofs::Jwt(tokens?)
            }
        };
        self.request_credential(Some(proofs), keys.len(), context)
    }

    fn request_credential(
        &mut self,
        proofs: Option<Proofs>,
        keys: usize,
        context: &mut Context<'_>,
    ) -> Result<Next, WalletError> {
        let (encrypt_to, key) = self.response_key(context)?;
        let item = self.item()?;
        let requested = match &item.identifier {
            Some(identifier) => Requested::Identifier(identifier.clone()),
            None => Requested::Configuration(item.configuration.clone()),
        };
        let request = CredentialRequest {
            requested,
            proofs,
            encrypt_to,
        };
        let sent = self.sent(request.to_json(), key, keys, context)?;
        self.go(State::Credential(sent), context)
    }

    /// What the response is to be encrypted with: where the issuer insists, or where it can and the policy wants it (§8.2).
    fn response_key(&self, context: &mut Context<'_>) -> Result<(Option<EncryptTo>, Option<ResponseKey>), WalletError> {
        let metadata = self.metadata()?;
        let can = metadata.credential_request_encryption.is_some();
        let offered = metadata.credential_response_encryption.as_ref();
        let offered = offered.filter(|offered| offered.encryption_required || (self.policy.encrypt && can));
        let Some(offered) = offered else {
            return Ok((None, None));
        };
        let (wanted, private) = encryption::ask(offered, context.crypto, context.entropy)?;
        let key = ResponseKey {
            private: Opaque::new(encoding::base64url(private.expose())),
            enc: wanted.enc.clone(),
        };
        Ok((Some(wanted), Some(key)))
    }

    /// A request as it goes out: encrypted where the issuer insists, and where the response's key is in it (§8.2).
    fn sent(
        &self,
        json: String,
        key: Option<ResponseKey>,
        keys: usize,
        context: &mut Context<'_>,
    ) -> Result<Sent, WalletError> {
        let offered = self.metadata()?.credential_request_encryption.as_ref();
        let needed = key.is_some() || offered.is_some_and(|offered| offered.encryption_required);
        let (body, content_type) = match offered.filter(|_| needed) {
            Some(offered) => {
                let body = encryption::seal_request(&json, offered, context.crypto, context.entropy)?;
                (body, encryption::MEDIA_TYPE)
            }
            None if needed => return Err(encryption::EncryptionError::NotOffered.into()),
            None => (json, JSON),
        };
        Ok(Sent {
            body,
            content_type: content_type.to_owned(),
            key,
            keys,
        })
    }

    /// Goes to a state that needs the access token: a new one first where it has expired and there is a refresh token.
    pub(super) fn go(&mut self, state: State, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let ended = |end: Timestamp| end <= context.now;
        let expires_at = self.tokens.as_ref().and_then(|tokens| tokens.expires_at);
        if expires_at.is_some_and(ended) && self.session.is_some() {
            self.state = State::Token {
                by: TokenBy::Refresh,
                then: Some(Box::new(state)),
            };
        } else {
            self.state = state;
        }
        self.send(context)
    }

    /// Whether the token is to be renewed because this response refused it: once for each credential.
    fn renew_token(&mut self, response: &HttpResponse<'_>) -> bool {
        if response.status != 401 || self.renewed || self.session.is_none() {
            return false;
        }
        self.renewed = true;
        let then = std::mem::replace(&mut self.state, State::Done);
        self.state = State::Token {
            by: TokenBy::Refresh,
            then: Some(Box::new(then)),
        };
        true
    }

    pub(super) fn credential_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        let State::Credential(sent) = self.state.clone() else {
            return Err(WalletError::Step);
        };
        if !response.is_success() {
            if self.renew_token(response) {
                return self.send(context);
            }
            let refused = refusal(Place::Credential, response);
            let stale = matches!(&refused, WalletError::Refused { error, .. } if error == "invalid_nonce");
            if stale && !self.anew && self.metadata()?.nonce_endpoint.is_some() {
                self.anew = true;
                self.state = State::Nonce;
                return self.send(context);
            }
            return Err(refused);
        }
        let answer = read(Place::Credential, &sent, response, context)?;
        self.take(answer, sent.keys, context)
    }

    fn take(
        &mut self,
        response: CredentialResponse,
        keys: usize,
        context: &mut Context<'_>,
    ) -> Result<Next, WalletError> {
        match response {
            CredentialResponse::Issued {
                credentials,
                notification_id,
            } => {
                if credentials.len() > keys {
                    return Err(WalletError::Response);
                }
                let received = Received {
                    configuration: self.item()?.configuration.clone(),
                    credentials,
                    notification_id,
                };
                self.state = State::Store(received.clone());
                Ok(Next::Store(received))
            }
            CredentialResponse::Deferred {
                transaction_id,
                interval,
            } => {
                if self.metadata()?.deferred_credential_endpoint.is_none() {
                    return Err(WalletError::Response);
                }
                let until = context.now.plus(i64::from(interval));
                self.state = State::Wait {
                    transaction_id,
                    until,
                    keys,
                };
                Ok(Next::Wait(until))
            }
        }
    }

    /// Asks again, in answer to [`Next::Wait`], once its time has come.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let State::Wait {
            transaction_id,
            until,
            keys,
        } = self.state.clone()
        else {
            return Err(WalletError::Step);
        };
        if context.now < until {
            return Ok(Next::Wait(until));
        }
        let (encrypt_to, key) = self.response_key(context)?;
        let request = DeferredRequest {
            transaction_id: transaction_id.clone(),
            encrypt_to,
        };
        let sent = self.sent(request.to_json(), key, keys, context)?;
        self.renewed = false;
        self.go(State::Deferred { transaction_id, sent }, context)
    }

    pub(super) fn deferred_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        let State::Deferred { transaction_id, sent } = self.state.clone() else {
            return Err(WalletError::Step);
        };
        if !response.is_success() {
            if self.renew_token(response) {
                return self.send(context);
            }
            let refused = refusal(Place::Deferred, response);
            let unknown = matches!(&refused, WalletError::Refused { error, .. } if error == "invalid_transaction_id");
            // The transaction may have ended with an answer that never came: the token is still good for a new request (§8).
            if unknown && !self.anew {
                self.anew = true;
                return self.begin_item(context);
            }
            return Err(refused);
        }
        let answer = read(Place::Deferred, &sent, response, context)?;
        let other =
            matches!(&answer, CredentialResponse::Deferred { transaction_id: named, .. } if *named != transaction_id);
        if other {
            return Err(WalletError::Response);
        }
        self.take(answer, sent.keys, context)
    }

    /// Tells what became of the copies, in answer to [`Next::Store`]. The issuer is told where it wants to know.
    pub fn stored(&mut self, event: Event, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let State::Store(received) = &self.state else {
            return Err(WalletError::Step);
        };
        let Some(notification_id) = received.notification_id.clone() else {
            return self.next_item(context);
        };
        if self.metadata()?.notification_endpoint.is_none() {
            return self.next_item(context);
        }
        let notification = Notification {
            notification_id,
            event,
            description: None,
        };
        self.go(State::Notify(notification.to_json()), context)
    }
}

/// The response, out of its encryption where that was asked for.
fn read(
    place: Place,
    sent: &Sent,
    response: &HttpResponse<'_>,
    context: &Context<'_>,
) -> Result<CredentialResponse, WalletError> {
    let Some(key) = &sent.key else {
        expect(place, response, JSON)?;
        return answer(place, CredentialResponse::parse(response.body));
    };
    if !response.is(encryption::MEDIA_TYPE) {
        return Err(WalletError::Clear);
    }
    let scalar = encoding::from_base64url(key.private.expose()).ok();
    let private: [u8; 32] = scalar
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(WalletError::Step)?;
    let private = Secret::new(private);
    let wanted = EncryptTo {
        key: context.crypto.p256_public(&private).ok_or(WalletError::Step)?,
        alg: crate::jwe::ECDH_ES.to_owned(),
        kid: None,
        enc: key.enc.clone(),
        zip: None,
    };
    let body = std::str::from_utf8(response.body).map_err(|_| WalletError::MediaType(place))?;
    let json = encryption::open_response(body.trim(), &wanted, &private, 2 * MAX_RESPONSE, context.crypto)?;
    answer(place, CredentialResponse::parse(json.expose()))
}
