//! Bundles: fetched, verified with the root that was pinned, never older than what was used.

use super::super::{
    Exit, Failure, Output,
    client::{Server, ServerArguments, read_text, text},
    clock,
    progress::Progress,
};
use crate::causes::with_causes;
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};
use vidimus_core::{Digest, Provider as _, Timestamp};
use vidimus_credential::{
    check::{Bundle, bundle::BundleError},
    x509,
};
use vidimus_crypto::Native;

/// Fetch what an offline check takes.
///
/// A bundle holds the registries, anchored roots and status lists as of now, signed. The root certificate is fetched once and compared with what
/// the authority published elsewhere; from then on it is what a bundle is verified with.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus bundle --url https://vidimus.example --output bundle.jwt --save-root root.pem
  vidimus bundle --url https://vidimus.example --output bundle.jwt --root root.pem")]
pub struct BundleArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Where the bundle goes.
    #[arg(long, short, value_name = "FILE", default_value = "bundle.jwt")]
    output: PathBuf,
    /// The root certificate that was pinned: the bundle is verified with it before it replaces the one that is there.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "save_root",
        required_unless_present = "save_root"
    )]
    root: Option<PathBuf>,
    /// Fetch the root certificate too, into a new file. Compare the fingerprint that is printed.
    #[arg(long, value_name = "FILE")]
    save_root: Option<PathBuf>,
}

fn root_of(path: &Path) -> Result<x509::Certificate, Failure> {
    x509::Certificate::from_text(&read_text(path)?).map_err(|error| {
        let causes = with_causes(&error);
        Failure::new(
            Exit::Usage,
            format!("{} is no root certificate: {causes}", path.display()),
        )
    })
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Opens a bundle, refuses one that is older than what was used before, and remembers its version.
pub(super) fn open_bundle(content: &str, path: &Path, root: &Path, now: Timestamp) -> Result<Bundle, Failure> {
    let root = root_of(root)?;
    let memory = beside(path, ".seen");
    let seen = match std::fs::read_to_string(&memory) {
        Ok(text) => Some(text.trim().parse().map_err(|_| {
            let text = format!(
                "{} does not read: it holds the newest bundle's version; restore or remove it",
                memory.display()
            );
            Failure::new(Exit::Setup, text)
        })?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} cannot be read: {error}", memory.display()),
            ));
        }
    };
    let bundle = Bundle::open(content, &[root], &Native::new(), now, seen).map_err(|error| {
        let exit = if matches!(error, BundleError::Jws(_) | BundleError::Malformed) {
            Exit::Usage
        } else {
            Exit::Refused
        };
        Failure::new(
            exit,
            format!("{}; fetch a new bundle with `vidimus bundle`", with_causes(&error)),
        )
    })?;
    let bundle = bundle.into_inner();
    if seen != Some(bundle.version) {
        replace(&memory, bundle.version.to_string().as_bytes())?;
    }
    Ok(bundle)
}

/// Replaces a file as a whole: a reader sees the old content or the new.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let fresh = beside(path, ".new");
    let failed =
        |error: std::io::Error| Failure::new(Exit::Usage, format!("{} cannot be written: {error}", path.display()));
    let mut file = std::fs::File::create(&fresh).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}

/// Fetches a bundle, verifies it with the pinned root and keeps it. Its version and time.
pub async fn fetch_bundle(server: &Server, to: &Path, root: &Path, progress: &Progress) -> Result<Value, Failure> {
    let bytes = server.download("/v1/bundle", progress).await?;
    let content =
        String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Unavailable, "the server's bundle is not text"))?;
    let bundle = open_bundle(content.trim(), to, root, clock().now())?;
    replace(to, content.trim().as_bytes())?;
    Ok(json!({"version": bundle.version, "made_at": bundle.made_at.to_rfc3339(), "bundle": to}))
}

/// Fetches the root certificate into a new file; its fingerprint.
pub async fn fetch_root(server: &Server, to: &Path) -> Result<Digest, Failure> {
    let bytes = server.bytes("/v1/trust/root").await?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)
        .map_err(|error| {
            let text = format!(
                "{} cannot be made: {error}; a root that was pinned is not replaced by one from a network",
                to.display()
            );
            Failure::new(Exit::Usage, text)
        })?;
    file.write_all(&bytes)
        .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be written: {error}", to.display())))?;
    let root = root_of(to).inspect_err(|_| drop(std::fs::remove_file(to)))?;
    Ok(Native::new().sha256(&[root.der()]))
}

pub(in super::super) async fn bundle(arguments: BundleArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.anonymous()?;
    let (root, fingerprint) = match (&arguments.root, &arguments.save_root) {
        (_, Some(path)) => (path, Some(fetch_root(&server, path).await?)),
        (Some(path), None) => (path, None),
        (None, None) => {
            return Err(Failure::new(
                Exit::Usage,
                "the root certificate is needed: --root, or --save-root",
            ));
        }
    };
    let progress = output.receiving("fetching the bundle");
    let fetched = fetch_bundle(&server, &arguments.output, root, &progress).await;
    drop(progress);
    let mut answer = fetched?;
    let mut shown = format!(
        "bundle {} of {} in {}",
        text(&answer, "/version"),
        text(&answer, "/made_at"),
        arguments.output.display()
    );
    if let Some(fingerprint) = fingerprint {
        answer["root"] = json!({"file": root, "sha256": fingerprint.to_string()});
        shown.push_str(&format!(
            "\nroot certificate in {}, SHA-256 {fingerprint}: compare this with what the authority published",
            root.display()
        ));
    }
    output.answer(&shown, &answer);
    Ok(())
}
