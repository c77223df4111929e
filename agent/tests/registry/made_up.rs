//! A registry that answers as a test says, well or badly.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Such as `GET /v2/`.
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) body: String,
}

pub(crate) struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    length: Option<usize>,
    then: Then,
}

/// What comes after the body.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    End,
    /// Zeroes without end.
    Flood,
    /// Nothing, with the connection open.
    Silence,
    /// A byte now and then.
    Drip,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: String::new(), body: body.into(), length: None, then: Then::End }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Promises another length than the body's.
    pub(crate) fn promising(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// Goes on in this way, without having told a length.
    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }
}

/// The server, until the test ends.
pub(crate) struct MadeUp {
    host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: JoinSet<()>,
}

impl MadeUp {
    /// Answers every request by what came, its own host, and how many came before.
    pub(crate) async fn start(answer: impl Fn(&Asked, &str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let mut serving = JoinSet::new();
        let (seen, own, answer) = (Arc::clone(&asked), host.clone(), Arc::new(answer));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, own, answer) = (Arc::clone(&seen), own.clone(), Arc::clone(&answer));
                connections.spawn(async move {
                    let decide = |asked: Asked| {
                        let mut seen = seen.lock().expect("no test panics here");
                        let answer = answer(&asked, &own, seen.len());
                        seen.push(asked);
                        answer
                    };
                    drop(serve(stream, decide).await);
                });
            }
        });
        Self { host, asked, _serving: serving }
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What came so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics here").clone()
    }
}

async fn serve(mut stream: TcpStream, decide: impl FnOnce(Asked) -> Answer) -> io::Result<()> {
    let asked = read(&mut stream).await?;
    let answer = decide(asked);
    let length = match (answer.length, answer.then) {
        (Some(length), _) => format!("content-length: {length}\r\n"),
        (None, Then::End) => format!("content-length: {}\r\n", answer.body.len()),
        (None, Then::Flood | Then::Silence | Then::Drip) => String::new(),
    };
    let head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n{length}{}\r\n", answer.status, answer.headers);
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    loop {
        match answer.then {
            Then::End => return stream.shutdown().await,
            Then::Flood => stream.write_all(&[0; 4096]).await?,
            Then::Silence => std::future::pending().await,
            Then::Drip => {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Asked> {
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&piece[..read]);
        let whole = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let header = |wanted: &str| {
            let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
            headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
            let (authorization, range) = (header("authorization"), header("range"));
            return Ok(Asked { line, authorization, range, body: body.to_owned() });
        }
    }
}
