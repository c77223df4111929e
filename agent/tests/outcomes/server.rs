//! The server, as far as one rollout on one device goes, over HTTP.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tidegate_agent::image::Image;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How far the device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is rolled out.
    Resting,
    Offered,
    Pulled,
    Healthy,
    /// Nothing was replaced.
    Failed,
    /// Something was replaced, and is to be taken back.
    Reverting,
    RolledBack,
    Skipped,
}

impl Progress {
    const fn is_an_end(self) -> bool {
        matches!(self, Self::Healthy | Self::Failed | Self::RolledBack | Self::Skipped)
    }
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Answers,
    /// Connections end without an answer.
    Silent,
    /// The token is not known.
    Denies,
    /// The device is not known any more.
    HasDeleted,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    progress: Progress,
    swapped: bool,
    old: Image,
    new: Option<Image>,
    port: u16,
    told: Vec<String>,
    places: BTreeSet<(u64, u64)>,
    runs: Option<(String, bool)>,
    /// Answers that allowed the swap.
    allowed: u32,
}

/// The server of one device.
pub(super) struct Server {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<u64>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Its device is to run `old`; its health is asked for at `port`.
    pub(super) async fn start(old: Image, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Answers,
            progress: Progress::Resting,
            swapped: false,
            old,
            new: None,
            port,
            told: Vec::new(),
            places: BTreeSet::new(),
            runs: None,
            allowed: 0,
        }));
        let (tell, changed) = watch::channel(0);
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tell) = (Arc::clone(&shared), tell.clone());
                tokio::spawn(async move { serve(stream, &state, &tell).await });
            }
        });
        Self { url, state, changed }
    }

    /// Rolls this out.
    pub(super) fn offer(&self, new: Image) {
        let mut state = lock(&self.state);
        (state.new, state.progress) = (Some(new), Progress::Offered);
    }

    pub(super) fn mood(&self, mood: Mood) {
        lock(&self.state).mood = mood;
    }

    /// What was told, in order: event and reason. Whether a pull is told depends on how long it takes.
    pub(super) fn told(&self) -> Vec<String> {
        lock(&self.state).told.iter().filter(|told| *told != "image_pulling").cloned().collect()
    }

    /// Waits until the device was heard to run this, healthy or not.
    pub(super) async fn runs(&self, image: &Image) {
        self.until(|state| state.runs.as_ref().is_some_and(|(runs, _)| *runs == image.image)).await;
    }

    /// Waits until this was told.
    pub(super) async fn hears(&self, event: &str) {
        self.until(|state| state.told.iter().any(|told| told.starts_with(event))).await;
    }

    /// Waits until the device was told that it may swap.
    pub(super) async fn allows_the_swap(&self) {
        self.until(|state| state.allowed > 0).await;
    }

    /// Waits until the rollout ended on the device, and says how.
    pub(super) async fn ends(&self) -> Progress {
        self.until(|state| state.progress.is_an_end()).await;
        lock(&self.state).progress
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        let mut changed = self.changed.clone();
        while !holds(&lock(&self.state)) {
            changed.changed().await.expect("it serves for ever");
        }
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>, tell: &watch::Sender<u64>) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let answer = lock(state).answer(&head, &body);
    if let Some(answer) = answer {
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
    tell.send_modify(|count| *count += 1);
}

/// Head and body of one request.
async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if read.len() >= end + 4 + length.unwrap_or(0) {
                return Some((head, read.split_off(end + 4)));
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => read.extend_from_slice(&part[..count]),
            Ok(_) | Err(_) => return None,
        }
    }
}

impl State {
    /// The answer to a request; `None` for none at all.
    fn answer(&mut self, head: &str, body: &[u8]) -> Option<String> {
        let problem = |status: &str, kind: &str| {
            let body = json!({"type": kind, "title": kind, "status": status[..3].parse::<u16>().unwrap_or(0)});
            Some(whole(status, &[], &body.to_string()))
        };
        match self.mood {
            Mood::Answers => {}
            Mood::Silent => return None,
            Mood::Denies => return problem("401 Unauthorized", "unauthorized"),
            Mood::HasDeleted => return problem("410 Gone", "device_deleted"),
        }
        if head.starts_with("GET ") {
            let target = self.target();
            let text = target.to_string();
            let etag = format!(
                "\"{:016x}\"",
                text.bytes().fold(7_u64, |hash, byte| hash * 31 % 0xffff_ffff_ffff + u64::from(byte))
            );
            let known =
                head.lines().any(|line| line.to_lowercase().starts_with("if-none-match:") && line.contains(&etag));
            if self.progress == Progress::Pulled {
                self.allowed += 1;
            }
            let headers = [format!("ETag: {etag}"), "Tidegate-Poll-After: 1".to_owned()];
            return Some(if known {
                whole("304 Not Modified", &headers, "")
            } else {
                whole("200 OK", &headers, &text)
            });
        }
        self.hear(&serde_json::from_slice(body).expect("a report is JSON"));
        Some(whole("200 OK", &[], r#"{"accepted": 0, "ignored": []}"#))
    }

    fn target(&self) -> Value {
        let new = self.new.as_ref().unwrap_or(&self.old);
        let (image, rollout) = match self.progress {
            Progress::Resting | Progress::Failed | Progress::RolledBack | Progress::Skipped => (&self.old, None),
            Progress::Offered => (new, Some(("update", "download"))),
            Progress::Pulled => (new, Some(("update", "swap"))),
            Progress::Healthy => (new, None),
            Progress::Reverting => (&self.old, Some(("rollback", "swap"))),
        };
        let mut service = json!(image);
        service["health_check"] = json!({"type": "http", "endpoint": format!("http://localhost:{}/health", self.port),
            "expected_status": 200, "timeout_seconds": 1, "retry_count": 2, "interval_seconds": 1});
        if let Some((action, phase)) = rollout {
            service["rollout"] = json!({"rollout_id": "R", "batch": 1, "attempt": 1, "action": action, "phase": phase,
                "previous": self.old, "auto_rollback": true, "healthy_for_seconds": 1,
                "health_check_timeout_seconds": 60, "deadline_seconds": 600});
        }
        json!({"device_uuid": "00000000-0000-4000-8000-000000000001", "services": {"web": service}})
    }

    fn hear(&mut self, body: &Value) {
        let web = &body["services"]["web"];
        if let (Some(image), Some(healthy)) = (web["image"].as_str(), web["healthy"].as_bool()) {
            self.runs = Some((image.to_owned(), healthy));
        }
        for report in body["reports"].as_array().into_iter().flatten() {
            let number = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key} of {report}"));
            let place = (number("attempt"), number("seq"));
            if !self.places.insert(place) {
                continue;
            }
            assert_eq!(self.places.last(), Some(&place), "reports come in order: {report}");
            let event = report["event"].as_str().expect("an event").trim_start_matches("device.");
            let reason = report["details"]["reason"].as_str().unwrap_or_default();
            self.told.push(format!("{event} {reason}").trim_end().to_owned());
            self.progress = match (self.progress, event) {
                (Progress::Offered, "image_pulled") => Progress::Pulled,
                (Progress::Offered | Progress::Pulled, "health_check_passed") => Progress::Healthy,
                (Progress::Offered | Progress::Pulled, "update_skipped") => Progress::Skipped,
                (_, "health_check_failed" | "update_failed") if self.swapped => Progress::Reverting,
                (_, "health_check_failed" | "update_failed") => Progress::Failed,
                (_, "rolled_back") => Progress::RolledBack,
                (progress, _) => progress,
            };
            self.swapped |= event == "container_updating";
        }
    }
}

fn whole(status: &str, headers: &[String], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let lines = [format!("HTTP/1.1 {status}")].into_iter().chain(headers.iter().cloned());
    let lines = lines.chain([length, "Connection: close".to_owned(), "Content-Type: application/json".to_owned()]);
    format!("{}\r\n\r\n{body}", lines.collect::<Vec<_>>().join("\r\n"))
}
