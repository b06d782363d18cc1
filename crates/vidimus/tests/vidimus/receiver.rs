//! Servers of others, on loopback: they keep what they are sent and answer as the test says.

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::Request,
    http::HeaderMap,
    response::Response,
};
use axum_server::{
    accept::Accept,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    future::Ready,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::net::TcpStream;

/// A certificate authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Chain and key for a host.
    pub fn server(&self, host: &str) -> rustls::ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()])
            .unwrap()
            .signed_by(&key, &self.0)
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap()
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap()
    }
}

/// A server; it ends with the test's runtime.
pub struct Receiver {
    pub port: u16,
    requests: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Counted(Arc<AtomicUsize>);

impl<S: Send + 'static> Accept<TcpStream, S> for Counted {
    type Stream = TcpStream;
    type Service = S;
    type Future = Ready<io::Result<(TcpStream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok((stream, service)))
    }
}

impl Receiver {
    /// Speaks TLS as `host`; `answer` is given path and request.
    pub async fn tls(
        authority: &Authority,
        host: &str,
        answer: impl Fn(&str, &Received) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(authority.server(host)), answer)
    }

    /// Speaks plain HTTP.
    pub async fn plain(answer: impl Fn(&str, &Received) -> Response + Send + Sync + 'static) -> Self {
        Self::start(None, answer)
    }

    fn start(
        tls: Option<rustls::ServerConfig>,
        answer: impl Fn(&str, &Received) -> Response + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (requests.clone(), Arc::new(answer));
        let handler = move |request: Request| {
            let (kept, answer) = (kept.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let received = Received {
                    path: parts.uri.path().to_owned(),
                    headers: parts.headers,
                    body: to_bytes(body, 1 << 20).await.unwrap(),
                };
                let response = answer(&received.path, &received);
                kept.lock().unwrap().push(received);
                response
            }
        };
        let service = Router::new().fallback(handler).into_make_service();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Counted(connections.clone());
        let server = axum_server::from_tcp(listener).unwrap();
        match tls {
            Some(config) => {
                let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(Arc::new(config))).acceptor(counted);
                tokio::spawn(server.acceptor(acceptor).serve(service));
            }
            None => {
                tokio::spawn(server.acceptor(counted).serve(service));
            }
        }
        Self {
            port,
            requests,
            connections,
        }
    }

    /// What arrived up to now.
    pub fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
