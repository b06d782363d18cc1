//! Where PostgreSQL is, and how it is reached: over a Unix socket or loopback as it is, to anywhere else by TLS with the server's name checked.

use crate::Error;
use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{str::FromStr, sync::Arc, time::Duration};
use tokio_postgres::{
    NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Reads the setting: what libpq takes, and of its TLS options `sslmode` (`disable`, `require`, `verify-full`) and `sslrootcert` (a PEM file;
/// without it the system's authorities count). TLS always checks certificate and name; to do without between hosts takes `sslmode=disable`.
pub(crate) fn manager(setting: &str) -> Result<Manager, Error> {
    let (setting, root) = take_root(&setting.replace("sslmode=verify-full", "sslmode=require"));
    // The parser's error may quote the text, and the text may hold a password.
    let mut config = tokio_postgres::Config::from_str(&setting)
        .map_err(|_| Error::open("the PostgreSQL setting is neither postgres://… nor key=value pairs"))?;
    let local = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
    });
    let mode = match config.get_ssl_mode() {
        SslMode::Disable => SslMode::Disable,
        SslMode::Prefer if local => SslMode::Disable,
        _ => SslMode::Require,
    };
    config
        .ssl_mode(mode)
        .connect_timeout(Duration::from_secs(5))
        .application_name("vidimus");
    let pool = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    Ok(match mode {
        SslMode::Disable => Manager::from_config(config, NoTls, pool),
        _ => Manager::from_config(config, MakeRustlsConnect::new(tls(root.as_deref())?), pool),
    })
}

fn tls(root: Option<&str>) -> Result<ClientConfig, Error> {
    let refused =
        |_| Error::open("TLS to PostgreSQL cannot be set up: no system authorities were found; set sslrootcert");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let Some(file) = root else {
        return Ok(builder.with_platform_verifier().map_err(refused)?.with_no_client_auth());
    };
    let unreadable = || {
        Error::open(format!(
            "sslrootcert {file} holds no certificate in PEM, or cannot be read"
        ))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
        let added = certificate.ok().map(|certificate| roots.add(certificate));
        if !matches!(added, Some(Ok(()))) {
            return Err(unreadable());
        }
    }
    if roots.is_empty() {
        return Err(unreadable());
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes `sslrootcert` out, which the driver's parser does not know.
fn take_root(setting: &str) -> (String, Option<String>) {
    const NAME: &str = "sslrootcert=";
    let is_url = setting.contains("://");
    let Some(start) = setting.find(NAME) else {
        return (setting.to_owned(), None);
    };
    let value = &setting[start + NAME.len()..];
    let end = value
        .find(|c: char| if is_url { c == '&' } else { c.is_whitespace() })
        .unwrap_or(value.len());
    let rest = format!("{}{}", &setting[..start], value[end..].trim_start_matches('&'));
    (rest, Some(value[..end].trim_matches('\'').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::take_root;

    #[test]
    fn the_root_is_taken_out_of_either_form() {
        for (setting, rest, root) in [
            ("host=h dbname=d", "host=h dbname=d", None),
            ("host=h sslrootcert=/a.pem dbname=d", "host=h  dbname=d", Some("/a.pem")),
            ("host=h sslrootcert='/a.pem'", "host=h ", Some("/a.pem")),
            (
                "postgres://u@h/d?sslrootcert=/a.pem",
                "postgres://u@h/d?",
                Some("/a.pem"),
            ),
            (
                "postgres://u@h/d?sslrootcert=/a.pem&sslmode=require",
                "postgres://u@h/d?sslmode=require",
                Some("/a.pem"),
            ),
        ] {
            assert_eq!(take_root(setting), (rest.to_owned(), root.map(str::to_owned)));
            assert!(rest.parse::<tokio_postgres::Config>().is_ok(), "{rest}");
        }
    }
}
