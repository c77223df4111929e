//! The service in the rig's images: one static program on the standard library alone, whose behaviour is its environment.
//!
//! - `PORT`: where it listens (8080).
//! - `VERSION`: what `/version` answers.
//! - `HEALTH`: what `/health` answers. `ok`, `bad`, `bad-after:N`, `ok-after:N` (seconds since its start), `slow:N` (ok,
//!   but only after N seconds).
//! - `EXIT`: the code that it ends with at once.
//!
//! Arguments make it something else, for health checks and hooks: `check` asks the one that serves whether it is healthy,
//! `exit CODE` ends, `sleep SECONDS` waits, `write FILE TEXT` writes.
//!
//! As the first process of a container it hears no SIGTERM: the image says whether its stop signal is SIGKILL, which ends it
//! at once, or SIGTERM, on which it hangs.

use std::env::{args, var};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => serve(),
        ["check"] => exit(i32::from(!is_healthy())),
        ["exit", code] => exit(number(code) as i32),
        ["sleep", seconds] => thread::sleep(Duration::from_secs(number(seconds))),
        ["write", file, text] => {
            if let Err(error) = std::fs::write(file, text) {
                eprintln!("{file}: {error}");
                exit(1);
            }
        }
        _ => {
            eprintln!("not one of check, exit CODE, sleep SECONDS, write FILE TEXT: {words:?}");
            exit(2);
        }
    }
}

fn setting(name: &str, otherwise: &str) -> String {
    var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| {
        eprintln!("not a number: {text}");
        exit(2)
    })
}

fn serve() {
    if let Ok(code) = var("EXIT") {
        eprintln!("ending with {code}, as EXIT says");
        exit(number(&code) as i32);
    }
    let (began, port) = (Instant::now(), setting("PORT", "8080"));
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).unwrap_or_else(|error| {
        eprintln!("port {port}: {error}");
        exit(1)
    });
    println!("{} listens on {port}", setting("VERSION", "?"));
    for stream in listener.incoming().flatten() {
        thread::spawn(move || answer(stream, began));
    }
}

fn answer(mut stream: TcpStream, began: Instant) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut asked = Vec::new();
    let mut part = [0; 1024];
    // To the end of the head; a body is nothing to it.
    while !asked.windows(4).any(|window| window == b"\r\n\r\n") && asked.len() < 16_384 {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(count) => asked.extend_from_slice(&part[..count]),
        }
    }
    let head = String::from_utf8_lossy(&asked);
    let (status, body) = match head.split(' ').nth(1) {
        Some("/health") => health(began),
        Some("/version") => ("200 OK", setting("VERSION", "?")),
        _ => ("404 Not Found", "there is /health and /version".to_owned()),
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

fn health(began: Instant) -> (&'static str, String) {
    let wanted = setting("HEALTH", "ok");
    let (word, seconds) = wanted.split_once(':').map_or((&*wanted, 0), |(word, seconds)| (word, number(seconds)));
    let late = began.elapsed() >= Duration::from_secs(seconds);
    let ok = match word {
        "ok" => true,
        "bad-after" => !late,
        "ok-after" => late,
        "slow" => {
            thread::sleep(Duration::from_secs(seconds));
            true
        }
        _ => false,
    };
    if ok { ("200 OK", "healthy".to_owned()) } else { ("503 Service Unavailable", "not healthy".to_owned()) }
}

fn is_healthy() -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", setting("PORT", "8080")))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}
