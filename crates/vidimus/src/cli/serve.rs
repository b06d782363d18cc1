//! `vidimus serve`.

use super::{Exit, Failure, Output, clock, setup_link};
use crate::{
    app::{App, setup},
    config::Config,
    http::{self, Guard, server},
};
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Serve HTTP and run the jobs. Never makes keys; refuses to start without them.
///
/// At the first start it prints, to standard output, the one-time link that makes the authority. Logs go to standard error. SIGTERM and SIGINT
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
    if setup::is_open(app).await? {
        setup_link::print(app, &setup::make_link(app).await?, output);
    }
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
