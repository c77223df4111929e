//! A server that answers what a test wrote down, byte for byte, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The server. It takes one request per connection, each answered with the next of its answers.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers these, in order: a status line's end, headers and a body.
    pub(crate) async fn answering(answers: &[(&str, &[&str], &str)]) -> Self {
        let answers = answers.iter().map(|(status, headers, body)| {
            let length = format!("Content-Length: {}", body.len());
            let head = [&[*status][..], headers, &[&length, "Connection: close"]].concat().join("\r\n");
            format!("HTTP/1.1 {head}\r\n\r\n{body}")
        });
        Self::saying(answers.collect()).await
    }

    /// Says these texts, in order, whatever is asked.
    pub(crate) async fn saying(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let request = read_request(&mut stream).await;
                seen.lock().expect("no test panics in between").push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, asked }
    }

    /// Every request so far: head and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics in between").clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let mut service_swap = [0; 4096];
        let count = stream.read(&mut service_swap).await.unwrap_or(0);
        read.extend_from_slice(&service_swap[..count]);
        let text = String::from_utf8_lossy(&read);
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let whole = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0));
        if whole || count == 0 {
            return text.into_owned();
        }
    }
}
