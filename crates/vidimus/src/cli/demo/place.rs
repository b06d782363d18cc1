//! Where the demo lives: its directory, and the deployment that serves from it.

use super::{
    super::{
        Exit, Failure,
        client::{Server, text, write},
        clock, init,
    },
    story::Story,
};
use crate::{
    app::{App, setup},
    http::{self, Guard},
    jobs,
};
use serde_json::Value;
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use vidimus_core::{Entropy as _, Secret, encoding::hex};
use vidimus_crypto::OsEntropy;

/// Where the demo lives; a temporary one goes with it.
pub(super) struct Home {
    pub(super) path: PathBuf,
    temporary: bool,
}

impl Home {
    pub(super) fn make(named: Option<&Path>, keep: bool) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            None => {
                let mut random = [0; 8];
                OsEntropy.fill(&mut random);
                std::env::temp_dir().join(format!("vidimus-demo-{}", hex(&random)))
            }
        };
        if path.join("vidimus.toml").exists() {
            let text = format!(
                "there is a deployment in {} already: name another directory with --home",
                path.display()
            );
            return Err(Failure::new(Exit::Refused, text));
        }
        init::private_directory(&path)?;
        Ok(Self {
            path,
            temporary: named.is_none() && !keep,
        })
    }

    pub(super) fn kept(&self) -> Option<&Path> {
        (!self.temporary).then_some(self.path.as_path())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The deployment while it serves.
pub(super) struct Served {
    pub(super) url: String,
    pub(super) token: Secret<String>,
    pub(super) app: Arc<App>,
    jobs: jobs::Jobs,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), http::server::Error>>,
}

impl Served {
    pub(super) async fn start(home: &Path, story: &mut Story) -> Result<Self, Failure> {
        let unavailable = |error: std::io::Error| Failure::unavailable(&error);
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).map_err(unavailable)?;
        listener.set_nonblocking(true).map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        let path = home.join("vidimus.toml");
        let text = format!(
            "# Made by `vidimus demo`.\ndata_dir = \"data\"\nroot_key = \"keys/root.key\"\n\n\
             [server]\nlisten = \"{address}\"\n\n[anchor]\ninterval_seconds = 1\n"
        );
        write(&path, text.as_bytes())?;
        let config = init::make(&init::Arguments::named("Vidimus demo", "AT"), &path).await?;
        story.done(
            "A deployment was made: root key, certificate authority, database.",
            &[("directory", home.display().to_string())],
        );
        let app = Arc::new(
            App::open(Arc::new(config), clock())
                .await
                .map_err(|error| Failure::setup(&error))?,
        );
        let token = setup::make_link(&app).await?.token;
        let stop = CancellationToken::new();
        let jobs = jobs::start(app.clone(), stop.clone());
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(http::server::serve(Guard::new(app.clone()), listener, None, stopped));
        let url = format!("http://{address}");
        story.done(
            "It serves, with its own ledger, and waits for its authority.",
            &[("address", url.clone())],
        );
        Ok(Self {
            url,
            token,
            app,
            jobs,
            stop,
            server,
        })
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.jobs.join()).await;
        let _ = tokio::time::timeout(Duration::from_secs(10), self.server).await;
        self.app.close().await;
    }

    pub(super) fn anonymous(&self) -> Result<Server, Failure> {
        Server::new(&self.url, None)
    }

    pub(super) fn with_key(&self, change: &Value) -> Result<Server, Failure> {
        Server::new(&self.url, Some(Secret::new(text(change, "/api_key"))))
    }
}
