//! `simulate-engine`: the whole engine under faults, seed by seed.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tidegate_testkit::simulation::{Coverage, Mutant, run};

use crate::{stderr, stdout};

/// Where there is no terminal, a line says how far it is this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Run the engine over seeds S…S+N−1: fleets, faults and operators in virtual time, an oracle looking on.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// How many seeds. One seed alone tells its story.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Print one JSON object as the last line.
    #[arg(long)]
    json: bool,
    /// Print what the runs met: each fault, status and rule, how often and in how many seeds.
    #[arg(long)]
    coverage: bool,
    /// Break a rule on purpose, or `all` one after another, and say which seed catches it.
    #[arg(long, value_name = "RULE")]
    mutant: Option<String>,
    /// Do not print the story of a single or a failing seed.
    #[arg(long)]
    no_story: bool,
}

/// What all threads found.
#[derive(Default)]
struct Findings {
    coverage: Coverage,
    violations: Vec<(u64, Vec<String>)>,
}

impl Arguments {
    /// Runs the seeds on every core. Fails where a rule was violated; with a broken rule, where none was.
    pub(crate) fn run(self) -> Result<ExitCode> {
        if let Some(name) = &self.mutant {
            return self.hunt(name);
        }
        let found = self.all();
        if self.coverage {
            stdout::line(format_args!("{:>12} {:>9}  what", "times", "seeds"))?;
            for (what, times, seeds) in found.coverage.rows() {
                stdout::line(format_args!("{times:>12} {seeds:>9}  {what}"))?;
            }
        }
        let failing = found.violations.first().map(|(seed, _)| *seed);
        if let Some(seed) = failing.or((self.seeds == 1).then_some(self.start))
            && !self.no_story
        {
            stdout::line(format_args!("the story of seed {seed}:"))?;
            for line in run(seed, None, true).story {
                stdout::line(format_args!("  {line}"))?;
            }
        }
        for (seed, violations) in found.violations.iter().take(20) {
            for violation in violations {
                stdout::line(format_args!("seed {seed}: {violation}"))?;
            }
        }
        let count = found.violations.len();
        stdout::line(format_args!("{} seeds, {count} violations", self.seeds))?;
        if self.json {
            let seeds: Vec<u64> = found.violations.iter().map(|(seed, _)| *seed).collect();
            let coverage: serde_json::Map<_, _> = found
                .coverage
                .rows()
                .map(|(what, times, seeds)| (what.to_owned(), json!({ "times": times, "seeds": seeds })))
                .collect();
            stdout::json_line(
                &json!({ "start": self.start, "seeds": self.seeds, "violations": count, "failing": seeds, "coverage": coverage }),
            )?;
        }
        Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn all(&self) -> Findings {
        let next = AtomicU64::new(self.start);
        let end = self.start.saturating_add(self.seeds);
        let findings = Mutex::new(Findings::default());
        let bar = Meter::new(self.seeds);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(self.seeds.max(1) as usize);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end {
                            return;
                        }
                        let report = run(seed, None, false);
                        let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
                        findings.coverage.merge(&report.coverage);
                        if !report.violations.is_empty() {
                            bar.violation(seed, &report.violations);
                            findings.violations.push((seed, report.violations));
                        }
                        bar.one_more(findings.violations.len());
                    }
                });
            }
        });
        bar.end();
        let mut findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
        findings.violations.sort();
        findings
    }

    /// Says for each broken rule which seed catches it.
    fn hunt(&self, name: &str) -> Result<ExitCode> {
        let wanted: Vec<Mutant> =
            Mutant::ALL.into_iter().filter(|mutant| name == "all" || format!("{mutant:?}") == name).collect();
        anyhow::ensure!(!wanted.is_empty(), "no such rule; there are: all, {:?}", Mutant::ALL);
        let mut escaped = 0;
        for mutant in wanted {
            let seeds = self.start..self.start.saturating_add(self.seeds);
            let caught = seeds.into_iter().find_map(|seed| {
                let violations = run(seed, Some(mutant), false).violations;
                violations.into_iter().next().map(|violation| (seed, violation))
            });
            match caught {
                Some((seed, violation)) => {
                    stdout::line(format_args!("{mutant:?}: caught by seed {seed}: {violation}"))?;
                }
                None => {
                    escaped += 1;
                    stdout::line(format_args!("{mutant:?}: not caught within {} seeds", self.seeds))?;
                }
            }
        }
        Ok(if escaped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A bar on a terminal, a line now and then elsewhere.
struct Meter {
    bar: Option<ProgressBar>,
    done: AtomicU64,
    seeds: u64,
    last: Mutex<Instant>,
}

impl Meter {
    fn new(seeds: u64) -> Self {
        let style = ProgressStyle::with_template("{bar:40.cyan} {pos}/{len} seeds, {msg} violations, {eta} left");
        let bar = (std::io::stderr().is_terminal() && seeds > 1).then(|| {
            let bar = ProgressBar::new(seeds);
            bar.set_style(style.expect("the template is valid"));
            bar.set_message("0");
            bar
        });
        Self { bar, done: AtomicU64::new(0), seeds, last: Mutex::new(Instant::now()) }
    }

    /// Said when it is found: the other seeds may take long.
    fn violation(&self, seed: u64, violations: &[String]) {
        let line = format!("seed {seed}: {}", violations.first().map_or("", String::as_str));
        match &self.bar {
            Some(bar) => bar.suspend(|| stderr::line(line)),
            None => stderr::line(line),
        }
    }

    fn one_more(&self, violations: usize) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            bar.set_message(violations.to_string());
            return bar.inc(1);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            stderr::line(format_args!("{done} of {} seeds, {violations} violations", self.seeds));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
