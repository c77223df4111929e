//! A program that is started and ended by words, and ends with the process that keeps it, however that one ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::RigError;

/// The script, which says what it does. Before it stands what to do first and last.
pub(crate) const SCRIPT: &str = include_str!("keeper.sh");
/// The longest time for an end in peace; the script's own limit is shorter.
const LAST: Duration = Duration::from_secs(40);

/// A word for the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Start,
    Stop,
    Kill,
    Look,
}

/// The keeping process.
pub(crate) struct Keeper {
    process: Child,
    pipes: Arc<Mutex<Option<Pipes>>>,
    log: PathBuf,
}

struct Pipes {
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Starts it; its program is not started yet.
    pub(crate) async fn start(mut command: Command, log: PathBuf) -> Result<Self, RigError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // An interrupt from the terminal is for the process that keeps it.
        command.process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = command.spawn().map_err(RigError::machine(format!("running {program}")))?;
        let words = process.stdin.take().expect("piped");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        let keeper = Self { process, pipes: Arc::new(Mutex::new(Some(Pipes { words, answers }))), log };
        match keeper.exchange(None).await?.as_str() {
            "ready" => Ok(keeper),
            _ => Err(RigError::program("what it needs could not be made ready", &keeper.log)),
        }
    }

    /// Whether the program is there, after this word.
    pub(crate) async fn say(&self, word: Word) -> Result<bool, RigError> {
        let word = match word {
            Word::Start => "start\n",
            Word::Stop => "stop\n",
            Word::Kill => "kill\n",
            Word::Look => "look\n",
        };
        Ok(self.exchange(Some(word)).await? == "there")
    }

    async fn exchange(&self, word: Option<&'static str>) -> Result<String, RigError> {
        let pipes = Arc::clone(&self.pipes);
        let exchanged = tokio::task::spawn_blocking(move || {
            let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
            let Pipes { words, answers } = pipes.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
            if let Some(word) = word {
                words.write_all(word.as_bytes())?;
            }
            let mut line = String::new();
            answers.read_line(&mut line)?;
            Ok(line.trim().to_owned())
        });
        let answer = exchanged.await.map_err(|error| RigError::Missing(error.to_string()))?;
        answer.map_err(RigError::machine("speaking to a program's keeper"))
    }
}

impl Keeper {
    /// Ends the program and waits for that, also in a runtime's thread: what comes after may rely on it.
    pub(crate) fn end(&mut self) {
        *self.pipes.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let began = Instant::now();
        while began.elapsed() < LAST {
            match self.process.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // Its namespaces, where it has some, go with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        eprintln!("what {} is about did not end in peace and was killed", self.log.display());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}
