//! Connections: how many, how slow, TLS or not, and how they end.

use super::{Guard, router};
use crate::config::{Server, Tls};
use axum_server::{
    Handle,
    accept::Accept,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};

/// Why HTTP does not start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: stop what uses it, or change server.listen")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A TLS file cannot be read.
    #[error(
        "the TLS file {path} cannot be read: correct server.tls, or make the file readable for the user that runs vidimus"
    )]
    TlsFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A TLS file does not hold what it should.
    #[error("the TLS file {path} holds no {what} in PEM: correct server.tls")]
    TlsContent {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
    },
    /// Certificate and key do not go together, or are of a kind that rustls does not take.
    #[error("the TLS certificate and key cannot be used ({0}): correct server.tls")]
    Tls(rustls::Error),
    /// The server stopped by itself.
    #[error("HTTP stopped")]
    Stopped(#[source] io::Error),
}

/// Opens the listening socket, so that a taken address is a refusal to start.
pub fn listen(config: &Server) -> Result<TcpListener, Error> {
    let refused = |source| Error::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}

/// Reads the TLS files, if there are any.
pub fn tls(config: Option<&Tls>) -> Result<Option<RustlsConfig>, Error> {
    let Some(tls) = config else { return Ok(None) };
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| Error::TlsFile {
            path: path.to_owned(),
            source,
        })
    };
    let content = |path: &Path, what| Error::TlsContent {
        path: path.to_owned(),
        what,
    };
    let chain = CertificateDer::pem_slice_iter(&read(&tls.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| content(&tls.certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(content(&tls.certificate, "certificate"));
    }
    let pem = zeroize::Zeroizing::new(read(&tls.key)?);
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| content(&tls.key, "private key"))?;
    // The provider is named, never the process's default: another crate cannot change it.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Error::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(Error::Tls)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(server))))
}

/// Serves until `stop` is done, then lets requests under way finish within `server.limits.drain_seconds`.
pub async fn serve(
    guard: Arc<Guard>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let limits = guard.app.config.server.limits.clone();
    let header_time = Duration::from_secs(limits.header_seconds);
    let service = router(&guard).into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    tokio::spawn({
        let (handle, guard) = (handle.clone(), guard.clone());
        async move {
            stop.await;
            guard.stop();
            handle.graceful_shutdown(Some(Duration::from_secs(limits.drain_seconds)));
        }
    });
    let guarded = Guarded {
        connections: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
        first: header_time,
        stall: Duration::from_secs(limits.request_seconds),
    };
    let mut server = axum_server::from_tcp(listener)
        .map_err(Error::Stopped)?
        .acceptor(guarded.clone())
        .handle(handle);
    server
        .http_builder()
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(header_time)
        .max_headers(64)
        .max_buf_size(32 * 1024)
        .keep_alive(true);
    server
        .http_builder()
        .http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .keep_alive_interval(header_time)
        .keep_alive_timeout(header_time)
        .max_concurrent_streams(128)
        .max_header_list_size(32 * 1024)
        .max_pending_accept_reset_streams(16);
    match tls {
        Some(config) => {
            let acceptor = RustlsAcceptor::new(config)
                .handshake_timeout(header_time)
                .acceptor(guarded);
            server.acceptor(acceptor).serve(service).await.map_err(Error::Stopped)
        }
        None => server.serve(service).await.map_err(Error::Stopped),
    }
}

/// Accepts as many connections as are allowed and watches that each moves.
#[derive(Debug, Clone)]
struct Guarded {
    connections: Arc<Semaphore>,
    first: Duration,
    stall: Duration,
}

impl<S: Send + 'static> Accept<TcpStream, S> for Guarded {
    type Stream = Watched;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Watched, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Too many: closed at once, which costs the least.
        let accepted = self
            .connections
            .clone()
            .try_acquire_owned()
            .map_err(io::Error::other)
            .and_then(|permit| {
                stream.set_nodelay(true)?;
                Ok(Watched {
                    stream,
                    unread: PREFACE,
                    first: Some(Box::pin(tokio::time::sleep(self.first))),
                    stall: self.stall,
                    stalled: None,
                    _permit: permit,
                })
            });
        std::future::ready(accepted.map(|stream| (stream, service)))
    }
}

/// Bytes after which the protocol is known and hyper's own timeouts hold: the length of HTTP/2's preface.
const PREFACE: usize = 24;

/// A connection whose first bytes must come in time, and whose peer must go on reading what it asked for.
#[derive(Debug)]
struct Watched {
    stream: TcpStream,
    unread: usize,
    first: Option<Pin<Box<Sleep>>>,
    stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Watched {
    fn moved<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall = self.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if self.first.is_some() {
            self.unread = self.unread.saturating_sub(into.filled().len() - before);
            if self.unread == 0 {
                self.first = None;
            }
        }
        let late = self
            .first
            .as_mut()
            .is_some_and(|first| first.as_mut().poll(context).is_ready());
        if late && read.is_pending() {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        } else {
            read
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.moved(context, written)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.moved(context, written)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
