//! The second channel: codes that reach a person apart from what they are for, by mail or by an issuer's gateway for short messages. A
//! message has the code and its end, and nothing else: no name, no result, no word about health.

use crate::app::{
    App,
    delivery::Body,
    error::Error,
    keys::{Keys, place},
    principal::Principal,
};
use lettre::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vidimus_core::{
    Entropy, Secret, Timestamp,
    id::{DeliveryId, ParticipantId},
};
use vidimus_store::{
    Scope, Tx,
    deliveries::{self, Channel},
    limits, webhooks,
};
use zeroize::Zeroize;

/// Codes that one contact is sent in an hour, whoever asks.
const MOST: u64 = 10;
const HOUR: i64 = 3_600;

/// In which language a person is written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

/// Where a person is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum Contact {
    /// By mail.
    Mail(Address),
    /// By short message: a number as E.164 writes it.
    Phone(String),
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(…)")
    }
}

impl Contact {
    /// Reads a mail address or a telephone number.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix('+');
        if let Some(digits) = digits
            && (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
        {
            return Ok(Self::Phone(text.to_owned()));
        }
        let address = Some(text).filter(|text| text.len() <= 254 && text.is_ascii() && !text.starts_with('+'));
        let address = address.and_then(|text| text.parse().ok());
        address.map(Self::Mail).ok_or_else(|| {
            Error::invalid(
                "contact",
                "the contact is neither a mail address nor a telephone number with its country, +43…",
                "correct it",
            )
        })
    }

    /// As text: personal.
    pub fn as_text(&self) -> String {
        match self {
            Self::Mail(address) => address.to_string(),
            Self::Phone(number) => number.clone(),
        }
    }
}

/// A code for a person.
#[derive(Debug)]
pub struct Code<'a> {
    /// The issuer that it is for.
    pub issuer: ParticipantId,
    /// Where the person is reached.
    pub contact: &'a Contact,
    /// The code.
    pub code: &'a Secret<String>,
    /// Until when it is valid.
    pub expires: Timestamp,
    /// In which language.
    pub language: Language,
}

/// A message, opened to be sent.
#[derive(Serialize, Deserialize)]
pub struct Message {
    to: String,
    code: String,
    expires: i64,
    language: Language,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.to.zeroize();
        self.code.zeroize();
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message(…)")
    }
}

impl Message {
    fn seal(&self, keys: &Keys, id: DeliveryId, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(self).map(Secret::new);
        let plain = plain.map_err(|_| Error::Internal("a message does not serialise"))?;
        Ok(keys.seal(&sealed_for(id), plain.expose(), entropy))
    }

    pub(super) fn open(app: &App, id: DeliveryId, sealed: &[u8]) -> Result<Self, Error> {
        let plain = app.keys.open(&sealed_for(id), sealed)?;
        serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a message does not read"))
    }

    /// Where it goes.
    pub(super) fn to(&self) -> &str {
        &self.to
    }

    /// What a mail is called.
    pub(super) fn subject(&self) -> &'static str {
        match self.language {
            Language::En => "Your code",
            Language::De => "Ihr Code",
        }
    }

    /// What it says.
    pub(super) fn text(&self) -> Secret<String> {
        let until = Timestamp(self.expires).to_rfc3339();
        // To the minute: `2026-03-01T12:30:00Z`.
        let (date, time) = (
            until.get(..10).unwrap_or_default(),
            until.get(11..16).unwrap_or_default(),
        );
        Secret::new(match self.language {
            Language::En => format!("Your code is {}. It is valid until {date} {time} UTC.", self.code),
            Language::De => format!("Ihr Code lautet {}. Er gilt bis {date} {time} UTC.", self.code),
        })
    }

    /// What an issuer's gateway is told.
    pub(super) fn for_gateway(&self) -> Body {
        let text = self.text();
        let data = serde_json::json!({"to": self.to, "text": text.expose(), "expires": self.expires});
        Body::of("code", Timestamp(self.expires), data)
    }
}

fn sealed_for(id: DeliveryId) -> vidimus_core::Transcript {
    place("deliveries", id.as_bytes(), "message")
}

/// A code that can be queued.
#[derive(Debug)]
pub struct Prepared {
    message: deliveries::Message,
    scope: Scope,
    contact_hash: [u8; 32],
    now: Timestamp,
}

/// Whether a person can be reached there: mail is configured, or the issuer has a gateway. To be asked before somebody is promised a code.
pub async fn reaches(app: &App, caller: &Principal, contact: &Contact) -> Result<(), Error> {
    way(app, caller.scope(), caller.participant, contact).await.map(drop)
}

/// Whether an issuer has any way to send codes.
pub async fn is_there(app: &App, scope: Scope, issuer: ParticipantId) -> Result<bool, Error> {
    if app.mailer.is_some() {
        return Ok(true);
    }
    let gateway = app
        .store
        .read(move |tx| webhooks::for_codes(tx, &scope, issuer))
        .await?;
    Ok(gateway.is_some())
}

/// Prepares a code for its person. `scope` is the issuer's.
pub async fn prepare(app: &App, scope: Scope, code: &Code<'_>) -> Result<Prepared, Error> {
    let (channel, target) = way(app, scope, code.issuer, code.contact).await?;
    let id = DeliveryId::generate(&mut *app.entropy());
    let message = Message {
        to: code.contact.as_text(),
        code: code.code.expose().clone(),
        expires: code.expires.0,
        language: code.language,
    };
    Ok(Prepared {
        contact_hash: app
            .keys
            .credential_hash("contact", message.to.to_ascii_lowercase().as_bytes()),
        message: deliveries::Message {
            id,
            channel,
            participant: code.issuer,
            target,
            ciphertext: message.seal(&app.keys, id, &mut *app.entropy())?,
            expires: code.expires,
        },
        scope,
        now: app.now(),
    })
}

impl Prepared {
    /// Queues the code, in the transaction that makes it. Refuses more than a person can want. [`Wake::deliveries`](super::Wake) afterwards
    /// sends it at once.
    pub fn queue(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        if limits::hit(tx, "contact", &self.contact_hash, HOUR, self.now)? > MOST {
            return Err(Error::forbidden(
                "too-many-codes",
                "this contact was sent as many codes within an hour as it may be",
                "try again in an hour",
            ));
        }
        deliveries::queue_message(tx, &self.scope, &self.message, self.now)?;
        Ok(())
    }
}

/// Which way a code goes: mail where there is a server for it, else the issuer's gateway.
async fn way(app: &App, scope: Scope, issuer: ParticipantId, contact: &Contact) -> Result<(Channel, [u8; 16]), Error> {
    if matches!(contact, Contact::Mail(_)) && app.mailer.is_some() {
        return Ok((Channel::Mail, *issuer.as_bytes()));
    }
    let gateway = app
        .store
        .read(move |tx| webhooks::for_codes(tx, &scope, issuer))
        .await?;
    let gateway = gateway.ok_or_else(|| {
        Error::conflict(
            "no-second-channel",
            "there is no way for a code to this contact: the deployment sends no mail, or you have no gateway for short messages",
            "make a webhook with the purpose `codes`, give a mail address, or hand the code over in person",
        )
    })?;
    Ok((Channel::Gateway, *gateway.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_read_strictly() {
        for text in [
            "+436641234567",
            "+4915112345678",
            "anna@example.org",
            "a.b+c@mail.example",
        ] {
            assert_eq!(Contact::parse(text).unwrap().as_text(), text);
        }
        for text in [
            "",
            "+",
            "+0436641234567",
            "06641234567",
            "+43 664 1234567",
            "+12345678901234567",
            "anna",
            "anna@",
            "@example.org",
            "anna@example.org, berta@example.org",
            "anna@example.org\r\nBcc: berta@example.org",
            "Anna <anna@example.org>",
            "+43@example.org\n",
        ] {
            let error = Contact::parse(text).unwrap_err().to_string();
            assert!(text.is_empty() || text == "+" || !error.contains(text), "{error}");
        }
        assert!(Contact::parse(&format!("{}@example.org", "a".repeat(250))).is_err());
        assert!(!format!("{:?}", Contact::parse("anna@example.org").unwrap()).contains("anna"));
    }

    #[test]
    fn a_message_has_the_code_and_its_end_and_nothing_else() {
        let message = |language| Message {
            to: "anna@example.org".into(),
            code: "493817".into(),
            expires: 1_772_368_200,
            language,
        };
        assert_eq!(
            message(Language::En).text().expose(),
            "Your code is 493817. It is valid until 2026-03-01 12:30 UTC."
        );
        assert_eq!(
            message(Language::De).text().expose(),
            "Ihr Code lautet 493817. Er gilt bis 2026-03-01 12:30 UTC."
        );
        assert!(!format!("{:?}", message(Language::De)).contains("anna"));
    }
}
