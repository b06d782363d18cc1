//! Logs: to standard error, one JSON object a line or text for people. What is logged is named field by field: ids of requests, operations,
//! statuses, durations. Bodies, query strings, headers and names never are.

use crate::config::{Log, LogFormat};
use std::panic::PanicHookInfo;
use tracing_subscriber::{EnvFilter, fmt};

/// The filter in the configuration is not one.
#[derive(Debug, thiserror::Error)]
#[error(
    "configuration key `log.level`: a level (error, warn, info, debug) or directives such as info,vidimus=debug are needed"
)]
pub struct Error;

/// Libraries whose finer levels would print what passes through them; whatever the configuration says, they stay quiet.
const QUIET: &[&str] = &[
    "hyper=warn",
    "hyper_util=warn",
    "h2=warn",
    "rustls=warn",
    "reqwest=warn",
    "tokio_postgres=warn",
    "alloy=warn",
    "lettre=warn",
];

/// Sends this process's logs where the configuration says, and keeps panics from printing values.
pub fn init(config: &Log) -> Result<(), Error> {
    let mut filter = EnvFilter::builder().parse(&config.level).map_err(|_| Error)?;
    for directive in QUIET {
        filter = filter.add_directive(directive.parse().expect("compiled in, and every start parses them"));
    }
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true);
    // A second start in one process, as in tests, keeps the first subscriber.
    let _ = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The place only: a panic's text may quote what it failed on.
fn log_panic(info: &PanicHookInfo<'_>) {
    let (file, line) = info
        .location()
        .map_or(("unknown", 0), |place| (place.file(), place.line()));
    tracing::error!(file, line, "a panic; this is a defect of vidimus");
}
