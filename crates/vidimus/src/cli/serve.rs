//! `vidimus serve`.

use super::{Exit, Failure, Output, clock, setup_link};
use crate::{
    app::{App, setup},
    config::Config,
    http::{self, Guard, server},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Serve HTTP and run the jobs. Never makes keys; refuses to start without them.
///
/// To standard output it prints its address and, while there is no authority, the one-time link that makes it. Logs go to standard error. SIGTERM and SIGINT
/// stop it: requests under way are finished (server.limits.drain_seconds), jobs put down what they hold, the ledger is closed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus serve
  VIDIMUS_LOG_FORMAT=text VIDIMUS_SERVER_LISTEN=127.0.0.1:9000 vidimus serve")]
pub struct Arguments {}

pub(super) async fn run(_: Arguments, config: Config, output: Output) -> Result<(), Failure> {
    http::log::init(&config.log).map_err(|error| Failure::setup(&error))?;
    // What can be refused cheaply comes first, and the signals before all, so that none is lost.
    let signals = Signals::new().map_err(|error| Failure::unavailable(&error))?;
    let tls = server::tls(config.server.tls.as_ref()).map_err(|error| Failure::setup(&error))?;
    let listener = server::listen(&config.server).map_err(|error| Failure::setup(&error))?;
    let app = Arc::new(App::open(Arc::new(config), clock()).await?);
    let served = serve(&app, listener, tls, signals, output).await;
    app.close().await;
    tracing::info!("stopped");
    served
}

async fn serve(
    app: &Arc<App>,
    listener: std::net::TcpListener,
    tls: Option<axum_server::tls_rustls::RustlsConfig>,
    signals: Signals,
    output: Output,
) -> Result<(), Failure> {
    let link = if setup::is_open(app).await? {
        Some(setup::make_link(app).await?)
    } else {
        None
    };
    welcome(app, link.as_ref(), output);
    let address = listener.local_addr().map_err(|error| Failure::unavailable(&error))?;
    tracing::info!(%address, tls = tls.is_some(), version = env!("CARGO_PKG_VERSION"), "serving");
    let stop = CancellationToken::new();
    let jobs = crate::jobs::start(app.clone(), stop.clone());
    let store = app.store.clone();
    let poisoned = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reason = {
        let (stop, poisoned) = (stop.clone(), poisoned.clone());
        async move {
            tokio::select! {
                () = signals.received() => tracing::info!("asked to stop"),
                error = store.poisoned() => {
                    // Nobody knows what is stored: only a new start can tell.
                    poisoned.store(true, std::sync::atomic::Ordering::Relaxed);
                    tracing::error!(cause = %error, "stopping");
                }
            }
            stop.cancel();
        }
    };
    let served = server::serve(Guard::new(app.clone()), listener, tls, reason).await;
    stop.cancel();
    let drain = Duration::from_secs(app.config.server.limits.drain_seconds);
    if tokio::time::timeout(drain, jobs.join()).await.is_err() {
        tracing::warn!("jobs did not stop in time; what they held is taken up at the next start");
    }
    served.map_err(|error| Failure::unavailable(&error))?;
    if poisoned.load(std::sync::atomic::Ordering::Relaxed) {
        let text = "a commit failed with an unknown outcome: check disk and database, then start again";
        return Err(Failure::new(Exit::Unavailable, text));
    }
    Ok(())
}

/// Tells where it serves and what to open next, on standard output: never in the logs, which are kept and read by others.
fn welcome(app: &App, link: Option<&setup::Link>, output: Output) {
    let url = app.url("");
    let mut shown = format!("Vidimus serves on {url} (Ctrl-C stops it).\n\n");
    let mut value = json!({"url": url});
    if let Some(link) = link {
        shown.push_str(&setup_link::text(app, link));
        value["setup"] = setup_link::value(app, link);
        shown.push_str("\nThen open\n");
    } else {
        shown.push_str("Open\n");
    }
    shown.push_str(&format!(
        "  {url}/openapi.json     the HTTP API\n  \
         {url}/v1/categories    what can be certified\n  \
         {url}/readyz           whether all is well\n\
         and admit who issues and who asks: vidimus participant admit --help"
    ));
    output.answer(&shown, &value);
}

/// The signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}
