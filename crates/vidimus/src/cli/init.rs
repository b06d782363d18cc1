//! `vidimus init`.

use super::{Exit, Failure, Output, clock, load};
use crate::app::deployment;
use serde_json::json;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Make a deployment: root key, configuration, data directory, database, certificate authority.
///
/// Writes the configuration file if there is none, then what it names. The root key is written once, readable for this user only, outside the
/// data directory. Keep a copy of it apart from backups of the data: without it nothing that it protects can be read, by anybody.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus init
  vidimus init --name \"Ministry of Health\" --country AT --public-url https://certificates.example --listen 0.0.0.0:8654
  vidimus --config /etc/vidimus/vidimus.toml init --data-dir /var/lib/vidimus --root-key /etc/vidimus/root.key")]
pub struct Arguments {
    /// Name in the deployment's root certificate.
    #[arg(long, default_value = "Vidimus")]
    name: String,
    /// ISO 3166-1 alpha-2 code of the country in the root certificate.
    #[arg(long, default_value = "XX", value_parser = country)]
    country: String,
    /// Where data are kept; goes into a new configuration file.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the root key is written; goes into a new configuration file.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// Address and port to listen on; goes into a new configuration file.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// Address that others reach this deployment by; goes into a new configuration file.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// PostgreSQL instead of SQLite; goes into a new configuration file.
    #[arg(long, value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
}

fn country(text: &str) -> Result<String, String> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("two capital letters are needed, such as AT".into())
    }
}

pub(super) async fn run(arguments: Arguments, path: &Path, output: Output) -> Result<(), Failure> {
    let new = !path.exists();
    if new {
        write_configuration(&arguments, path)?;
    } else if arguments.for_configuration() {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{} is there already: change it there, or leave these options out",
                path.display()
            ),
        ));
    }
    let made = make(&arguments, path).await;
    if made.is_err() && new {
        // What this run wrote, so that the next one can name something else.
        let _ = fs::remove_file(path);
    }
    let config = made?;
    let text = format!(
        "configuration  {}\nroot key       {} (keep a copy apart from backups of the data)\ndata           {}\n\nNow run: vidimus --config {} serve",
        path.display(),
        config.root_key.display(),
        config.data_dir.display(),
        path.display()
    );
    let value = json!({"configuration": path, "root_key": config.root_key, "data_dir": config.data_dir});
    output.answer(&text, &value);
    Ok(())
}

/// Makes what the configuration at `path` names.
pub(super) async fn make(arguments: &Arguments, path: &Path) -> Result<crate::config::Config, Failure> {
    let config = load(path)?;
    if config.root_key.exists() {
        let error = vidimus_crypto::Error::RootKeyExists(config.root_key.clone());
        return Err(Failure::setup(&error));
    }
    private_directory(&config.data_dir)?;
    if let Some(parent) = config.root_key.parent() {
        private_directory(parent)?;
    }
    if let Some(parent) = config.database_file().and_then(Path::parent) {
        private_directory(parent)?;
    }
    private_directory(&config.blobs.path)?;
    deployment::init(&config, &arguments.name, &arguments.country, clock().now()).await?;
    Ok(config)
}

impl Arguments {
    /// A deployment of this name, for a configuration that is there.
    pub(super) fn named(name: &str, country: &str) -> Self {
        Self {
            name: name.to_owned(),
            country: country.to_owned(),
            data_dir: None,
            root_key: None,
            listen: None,
            public_url: None,
            database_url: None,
        }
    }

    fn for_configuration(&self) -> bool {
        self.data_dir.is_some()
            || self.root_key.is_some()
            || self.listen.is_some()
            || self.public_url.is_some()
            || self.database_url.is_some()
    }
}

fn write_configuration(arguments: &Arguments, path: &Path) -> Result<(), Failure> {
    // A TOML string; JSON's escapes are TOML's.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    // What is given on the command line is relative to where the command runs, not to the file.
    let given = |path: &Option<PathBuf>, default: &str| match path {
        Some(path) => quoted(
            &std::path::absolute(path)
                .unwrap_or_else(|_| path.clone())
                .to_string_lossy(),
        ),
        None => quoted(default),
    };
    let mut text = format!(
        "# Made by `vidimus init`. Every key there is: docs/config/every-key.toml\ndata_dir = {}\nroot_key = {}\n",
        given(&arguments.data_dir, "data"),
        given(&arguments.root_key, "keys/root.key")
    );
    if arguments.listen.is_some() || arguments.public_url.is_some() {
        text.push_str("\n[server]\n");
    }
    if let Some(listen) = arguments.listen {
        text.push_str(&format!("listen = \"{listen}\"\n"));
    }
    if let Some(url) = &arguments.public_url {
        text.push_str(&format!("public_url = {}\n", quoted(url)));
    }
    if let Some(url) = &arguments.database_url {
        text.push_str(&format!("\n[database]\nurl = {}\n", quoted(url)));
    }
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Setup,
            format!(
                "{} cannot be written: {error}; name another with --config",
                path.display()
            ),
        )
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        private_directory(parent)?;
    }
    // Private, because the database's URL may hold a password.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Makes a directory for this user only. One that is there stays as it is.
pub(super) fn private_directory(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| {
            Failure::new(
                Exit::Setup,
                format!("the directory {} cannot be made: {error}; name another", path.display()),
            )
        })
}
