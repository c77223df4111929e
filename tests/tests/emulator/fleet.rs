//! A fleet of simulated devices: `tidegate simulate` in a process of its own.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::scene::Scene;

/// How long a fleet may take to count itself at its end.
const LAST_COUNT: Duration = Duration::from_mins(3);

/// A running fleet; ended with the case.
pub(crate) struct Fleet {
    process: Child,
    log: PathBuf,
}

impl Fleet {
    /// Starts devices that run `v1` of the scene's image, and waits until each is known with its digest.
    pub(crate) async fn start(client: &Client, scene: &Scene, devices: usize, more: &[&str]) -> Self {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", scene.name));
        let written = File::create(&log).expect("a log");
        let process = client
            .stack
            .command()
            .args(["simulate", "--new", "--json", "--devices", &devices.to_string(), "--fleet", &scene.name])
            .args(["--image", &scene.image("v1")])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(written)
            .spawn()
            .expect("tidegate runs");
        let fleet = Self { process, log };
        client.settled(&scene.name, devices, 60 + devices as u64 / 2).await;
        fleet
    }

    /// Interrupts it: it compares what runs with what should, and counts with rows. Its own verdict.
    pub(crate) async fn end(mut self) -> Value {
        let interrupt = format!("kill -INT {}", self.process.id());
        assert!(std::process::Command::new("sh").args(["-c", &interrupt]).status().expect("sh runs").success());
        let deadline = Instant::now() + LAST_COUNT;
        while self.process.try_wait().expect("its end").is_none() {
            assert!(Instant::now() < deadline, "the fleet does not end, see {}", self.log.display());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut told = String::new();
        self.process.stdout.take().expect("its output").read_to_string(&mut told).expect("text");
        let verdict: Value = serde_json::from_str(told.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("no verdict ({error}), see {}", self.log.display()));
        assert_eq!(verdict["violations"], serde_json::json!([]), "{verdict:#}");
        verdict
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
