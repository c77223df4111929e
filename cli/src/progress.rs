//! Telling what goes on: a spinner on a terminal, plain lines now and then elsewhere (a log, CI).

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tidegate_domain::text::{shown, shown_lines};

use crate::stderr;

/// How often a running step says something where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The longest note that fits beside a label and the time.
const NOTE_WIDTH: usize = 60;

/// Steps shown together.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
}

impl Progress {
    /// To standard error, as it is.
    pub(crate) fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// Begins a step; it ends when it is dropped or [`Step::done`].
    pub(crate) fn step(&self, label: impl Into<String>) -> Step {
        let label = label.into();
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(
                ProgressStyle::with_template("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}")
                    .expect("the template is valid"),
            );
            bar.set_prefix(label.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            stderr::line(format_args!("· {label}"));
        }
        let now = Instant::now();
        Step { bars: self.bars.clone(), bar, label, began: now, said: Mutex::new(now) }
    }

    /// A line above the steps.
    pub(crate) fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => drop(bars.println(shown_lines(line))),
            None => stderr::line(line),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that takes a while.
#[derive(Debug)]
pub(crate) struct Step {
    bars: Option<MultiProgress>,
    bar: Option<ProgressBar>,
    label: String,
    began: Instant,
    said: Mutex<Instant>,
}

impl Step {
    /// What it does just now.
    pub(crate) fn note(&self, note: &str) {
        let note: String = shown(note).chars().take(NOTE_WIDTH).collect();
        if let Some(bar) = &self.bar {
            bar.set_message(note);
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            stderr::line(format_args!("  {} ({} s): {note}", self.label, self.began.elapsed().as_secs()));
        }
    }

    /// It is done; `result` says what came out.
    pub(crate) fn done(self, result: &str) {
        let line = format!("✓ {result} ({:.1} s)", self.began.elapsed().as_secs_f64());
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        match &self.bars {
            Some(bars) => drop(bars.println(line)),
            None => stderr::line(line),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
