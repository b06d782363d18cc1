//! Mail, by SMTP to the one server that the configuration names.

use crate::{app::channel::Message, config};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use std::{fmt, time::Duration};
use vidimus_core::{Timestamp, id::DeliveryId};

/// How long one command to the server may take, and all of them.
const COMMAND: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(30);

/// Sends mail.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailer(…)")
    }
}

/// Mail cannot be sent as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailerError {
    /// The additional certificate authorities do not read.
    #[error("outside.authorities holds no certificates in PEM")]
    Authorities,
    /// TLS to this host is not possible.
    #[error("mail.host is no host that TLS can be spoken with")]
    Host,
}

/// Why a mail did not leave. What the server says is not repeated: it may hold the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The server cannot be reached, or not under TLS.
    #[error("the mail server cannot be reached, or its certificate is not trusted")]
    Unreachable,
    /// It took too long.
    #[error("the mail server did not answer in time")]
    Timeout,
    /// Not now.
    #[error("the mail server does not take it now")]
    Later,
    /// Never.
    #[error("the mail server refuses it")]
    Refused,
}

impl Failed {
    /// Whether another try cannot help.
    pub fn is_final(self) -> bool {
        self == Self::Refused
    }
}

impl Mailer {
    /// As configured; `authorities` is PEM, or empty.
    pub fn new(config: &config::Mail, authorities: &[u8]) -> Result<Self, MailerError> {
        let tls = || {
            let mut parameters =
                TlsParameters::builder(config.host.clone()).certificate_store(CertificateStore::Default);
            for one in split(authorities) {
                let certificate = Certificate::from_pem(one.as_bytes()).map_err(|_| MailerError::Authorities)?;
                parameters = parameters.add_root_certificate(certificate);
            }
            parameters.build().map_err(|_| MailerError::Host)
        };
        let tls = match config.tls {
            config::MailTls::Starttls => Tls::Required(tls()?),
            config::MailTls::Implicit => Tls::Wrapper(tls()?),
            config::MailTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
            .port(config.port)
            .tls(tls)
            .timeout(Some(COMMAND))
            // Not the machine's own name, which is nobody's business.
            .hello_name(ClientId::Domain("vidimus.invalid".to_owned()));
        if let Some((user, password)) = &config.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose().clone()));
        }
        Ok(Self {
            transport: transport.build(),
            from: config.from.clone(),
        })
    }

    /// Sends a message, once. `id` is the same for every try.
    pub(super) async fn send(&self, message: &Message, id: DeliveryId, now: Timestamp) -> Result<(), Failed> {
        let to = message.to().parse().map_err(|_| Failed::Refused)?;
        let seconds = u64::try_from(now.0).unwrap_or(0);
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject())
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date(std::time::UNIX_EPOCH + Duration::from_secs(seconds))
            .header(ContentType::TEXT_PLAIN)
            .body(message.text().expose().clone())
            .map_err(|_| Failed::Refused)?;
        match tokio::time::timeout(TOTAL, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(Failed::Refused),
            Ok(Err(error)) if error.is_timeout() => Err(Failed::Timeout),
            Ok(Err(error)) if error.is_transient() => Err(Failed::Later),
            Ok(Err(_)) => Err(Failed::Unreachable),
            Err(_) => Err(Failed::Timeout),
        }
    }
}

/// Each certificate of a file on its own.
fn split(pem: &[u8]) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    text.split_inclusive(END)
        .filter(|part| part.contains(END))
        .map(str::to_owned)
        .collect()
}
