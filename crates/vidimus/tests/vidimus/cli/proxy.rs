//! What stands between a wallet and a server: it hears what is asked, loses a message, or changes what comes back.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// What is lost of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It does not reach the server.
    Request,
    /// The server does what it says, and nobody hears of it.
    Answer,
}

type Change = Box<dyn Fn(&str, String) -> String + Send>;

#[derive(Default)]
struct State {
    /// The paths of messages of the protocols, in their order.
    seen: Vec<String>,
    lose: Option<(usize, Lost)>,
    lost: Option<String>,
    change: Option<Change>,
    /// What is answered in the server's place where a path ends so.
    instead: Option<(String, u16, String)>,
}

/// A proxy on this machine.
pub struct Proxy {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Before a server that listens at this port.
    pub fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), shared.clone());
                std::thread::spawn(move || {
                    let _ = pass(stream, upstream, &state);
                });
            }
        });
        Self { url, state }
    }

    /// From now on message `at` is lost.
    pub fn lose(&self, at: usize, what: Lost) {
        let mut state = self.state.lock().unwrap();
        state.seen.clear();
        state.lost = None;
        state.lose = Some((at, what));
    }

    /// Nothing is lost any more. What was: its path.
    pub fn heal(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap();
        state.lose = None;
        state.lost.take()
    }

    /// From now on whoever asks for a path that ends so is answered this, and the server hears nothing of it.
    pub fn instead(&self, path: &str, status: u16, body: &str) {
        self.state.lock().unwrap().instead = Some((path.to_owned(), status, body.to_owned()));
    }

    /// From now on the server answers everything again.
    pub fn whole(&self) {
        self.state.lock().unwrap().instead = None;
    }

    /// From now on answers are changed, by their path.
    pub fn change(&self, change: impl Fn(&str, String) -> String + Send + 'static) {
        self.state.lock().unwrap().change = Some(Box::new(change));
    }
}

/// The head of a message and what follows, as much as its length says.
fn read(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let (mut all, mut part) = (Vec::new(), [0; 8192]);
    loop {
        let count = stream.read(&mut part)?;
        all.extend_from_slice(&part[..count]);
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&all[..end]).into_owned();
            let length = header(&head, "content-length")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            let mut body = all.split_off(end + 4);
            while body.len() < length {
                match stream.read(&mut part)? {
                    0 => break,
                    count => body.extend_from_slice(&part[..count]),
                }
            }
            return Ok((head, body));
        }
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim().to_owned())
}

/// One message there and back; a connection is for one.
fn pass(mut wallet: TcpStream, upstream: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let (head, body) = read(&mut wallet)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let lost = {
        let mut state = state.lock().unwrap();
        // Receipts and registries are asked for beside the protocols.
        let place = (!path.starts_with("/v1/")).then_some(state.seen.len());
        if place.is_some() {
            state.seen.push(path.clone());
        }
        let lost = state.lose.filter(|(at, _)| Some(*at) == place).map(|(_, lost)| lost);
        if lost.is_some() {
            state.lost = Some(path.clone());
        }
        lost
    };
    if lost == Some(Lost::Request) {
        return Ok(());
    }
    let instead = state.lock().unwrap().instead.clone();
    if let Some((_, status, body)) = instead.filter(|(end, ..)| path.ends_with(end.as_str())) {
        return write!(
            wallet,
            "HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    let kept = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let request = kept.collect::<Vec<_>>().join("\r\n") + "\r\nconnection: close\r\n\r\n";
    server.write_all(request.as_bytes())?;
    server.write_all(&body)?;
    let (head, body) = read(&mut server)?;
    if lost == Some(Lost::Answer) {
        return Ok(());
    }
    let state = state.lock().unwrap();
    let body = match &state.change {
        Some(change) => change(&path, String::from_utf8_lossy(&body).into_owned()).into_bytes(),
        None => body,
    };
    let own = ["content-length:", "connection:"];
    let kept = head
        .lines()
        .filter(|line| !own.iter().any(|name| line.to_ascii_lowercase().starts_with(name)));
    let head = kept.collect::<Vec<_>>().join("\r\n");
    write!(
        wallet,
        "{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    wallet.write_all(&body)
}
