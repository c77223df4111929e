//! `tidegate logs`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::{SignedDuration, Timestamp};

use crate::stack::{Access, FUNCTIONS, Line, Logs, Project};
use crate::stdout;

/// How often `--follow` looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments of `tidegate logs`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this function's; may be repeated
    #[arg(long = "function", value_name = "FUNCTION", value_parser = PossibleValuesParser::new(FUNCTIONS))]
    functions: Vec<String>,
    /// Go on with what is logged from now on, until interrupted
    #[arg(long)]
    follow: bool,
    /// How many minutes back it begins
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    since: u32,
}

impl Arguments {
    /// Prints the lines, oldest first.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let access = Access::load(&Project::find()?)?;
        let functions = match self.functions.as_slice() {
            [] => FUNCTIONS.map(str::to_owned).to_vec(),
            some => some.to_vec(),
        };
        let back = SignedDuration::from_mins(i64::from(self.since));
        let since = Timestamp::now().saturating_sub(back)?;
        let mut logs = Logs::new(&access, functions, since)?;
        loop {
            for line in logs.next().await? {
                stdout::line(shown(&line))?;
            }
            if !self.follow {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn shown(line: &Line) -> String {
    format!("{} {:<15} {}", line.at.strftime("%H:%M:%S%.3f"), line.function, line.text)
}
