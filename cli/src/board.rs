//! How a rollout goes, live: a bar per batch and a line that says what it waits for. Plain lines now and then where
//! there is no terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tidegate_domain::text::{shown, shown_lines};

use crate::api::{Batch, Rollout};
use crate::stderr;

/// How often the same situation is told again where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The board.
pub(crate) struct Board {
    live: Option<Live>,
    told: Option<(String, Instant)>,
    /// What was said of each batch, so that it is said once.
    batches: Vec<(bool, bool)>,
}

struct Live {
    all: MultiProgress,
    line: ProgressBar,
    batches: Vec<ProgressBar>,
}

impl Board {
    /// On standard error, as it is.
    pub(crate) fn new() -> Self {
        let live = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let line = all.add(ProgressBar::new_spinner());
            line.set_style(style("{spinner:.cyan} {wide_msg}"));
            line.enable_steady_tick(Duration::from_millis(100));
            Live { all, line, batches: Vec::new() }
        });
        Self { live, told: None, batches: Vec::new() }
    }

    /// A line that stays.
    pub(crate) fn say(&self, text: &str) {
        match &self.live {
            Some(live) => drop(live.all.println(shown_lines(text))),
            None => stderr::line(text),
        }
    }

    /// What is waited for just now.
    pub(crate) fn waits(&mut self, line: &str) {
        if let Some(live) = &self.live {
            live.line.set_message(shown(line).into_owned());
            return;
        }
        let again = self.told.as_ref().is_none_or(|(_, at)| at.elapsed() >= LINE_EVERY);
        if again && self.told.as_ref().is_none_or(|(told, at)| told != line || at.elapsed() >= LINE_EVERY * 3) {
            stderr::line(format_args!("  … {}", shown(line)));
            self.told = Some((line.to_owned(), Instant::now()));
        }
    }

    /// How the rollout stands.
    pub(crate) fn rollout(&mut self, rollout: &Rollout) {
        if let Some(live) = &mut self.live {
            for (n, batch) in rollout.batches.iter().enumerate() {
                if live.batches.len() <= n {
                    let bar = live.all.insert_before(&live.line, ProgressBar::new(batch.devices.into()));
                    bar.set_style(style("  {prefix} {bar:24.green/dim} {pos:>4}/{len} {msg:.dim}"));
                    bar.set_prefix(format!("batch {}", batch.number));
                    live.batches.push(bar);
                }
                let bar = &live.batches[n];
                bar.set_length(batch.devices.into());
                bar.set_position(settled(batch).into());
                bar.set_message(in_words(batch));
            }
        } else {
            self.tell_batches(rollout);
        }
    }

    /// Opened and completed batches, once each.
    fn tell_batches(&mut self, rollout: &Rollout) {
        self.batches.resize(rollout.batches.len().max(self.batches.len()), (false, false));
        let mut lines = Vec::new();
        for (batch, (opened, completed)) in rollout.batches.iter().zip(&mut self.batches) {
            if batch.opened_at.is_some() && !*opened {
                *opened = true;
                lines.push(format!("  batch {} is open to {} devices", batch.number, batch.devices));
            }
            if batch.completed_at.is_some() && !*completed {
                *completed = true;
                lines.push(format!("  batch {} is done: {}", batch.number, in_words(batch)));
            }
        }
        for line in lines {
            self.say(&line);
        }
    }

    /// The rollout is over: its bars stay as they are, as lines.
    pub(crate) fn end_of_rollout(&mut self, rollout: &Rollout) {
        self.batches.clear();
        self.told = None;
        let Some(live) = &mut self.live else { return };
        for bar in live.batches.drain(..) {
            bar.finish_and_clear();
        }
        for batch in rollout.batches.iter().filter(|batch| batch.opened_at.is_some()) {
            let _ =
                live.all.println(format!("  batch {} of {} devices: {}", batch.number, batch.devices, in_words(batch)));
        }
    }

    /// Takes everything that moves off the screen.
    pub(crate) fn clear(&mut self) {
        if let Some(live) = &mut self.live {
            for bar in live.batches.drain(..) {
                bar.finish_and_clear();
            }
            live.line.finish_and_clear();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is valid")
}

fn settled(batch: &Batch) -> u32 {
    batch.healthy + batch.failed + batch.rolled_back
}

/// A batch in words.
fn in_words(batch: &Batch) -> String {
    let parts = [(batch.healthy, "healthy"), (batch.failed, "failed"), (batch.rolled_back, "rolled back")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "nobody settled yet".to_owned() } else { parts.join(", ") }
}
