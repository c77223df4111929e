//! `tidegate bench functions`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::bench::{self, Figures};
use crate::progress::Progress;
use crate::stack::{FUNCTIONS, Project};
use crate::stdout;
use crate::table::Table;

/// Arguments of `tidegate bench functions`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A folder with the programs; by default they are built with the profile `lambda`
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Only this function; may be repeated
    #[arg(long, value_name = "FUNCTION", value_parser = FUNCTIONS)]
    function: Vec<String>,
    /// How many polls are measured
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    polls: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Measures and prints.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let project = Project::find()?;
        let wanted = |name: &&str| self.function.is_empty() || self.function.iter().any(|one| one == name);
        let measured: Vec<&'static str> = FUNCTIONS.into_iter().filter(wanted).collect();
        let programs = match self.programs {
            Some(folder) => folder,
            None => bench::build(&project, &measured).await?,
        };
        let progress = Progress::new();
        let step = progress.step("Measuring");
        let figures = bench::functions(&project, &programs, &measured, self.polls, |what| step.note(what)).await?;
        step.done("Measured");
        if self.json {
            stdout::json(&figures)?;
        } else {
            print(&figures)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(figures: &Figures) -> Result<()> {
    let mut table = Table::new(["FUNCTION", "ZIP", "PROGRAM", "START", "MEMORY"]);
    for taken in &figures.functions {
        table.row([
            taken.function.to_owned(),
            format!("{:.2} MB", taken.zip_bytes as f64 / 1e6),
            format!("{:.2} MB", taken.program_bytes as f64 / 1e6),
            format!("{:.1} ms", taken.init_ms),
            format!("{:.1} MiB", taken.memory_kib as f64 / 1024.0),
        ]);
    }
    stdout::print(table)?;
    match figures.settled_polls_s_per_1000 {
        Some(taken) => stdout::line(format!(
            "1,000 polls of a settled device take {taken:.3} s of processor time ({} measured)",
            figures.polls
        )),
        None => Ok(()),
    }
}
