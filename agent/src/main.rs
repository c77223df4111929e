//! `tidegate-agent`: keeps a device's containers at the target state that Tidegate gives.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tidegate_agent::cli::Arguments;
use tidegate_domain::text::{shown, shown_lines};

// One thread: the agent waits nearly always, and each further thread would cost memory for nothing.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => arguments.run().await,
        Err(error) if error.use_stderr() => {
            // Arguments are quoted as they were given: what in them acts on a terminal is shown.
            let harmless = std::env::args_os().map(|argument| shown(&argument.to_string_lossy()).into_owned());
            let again = Arguments::try_parse_from(harmless).err().filter(clap::Error::use_stderr);
            let told = again.unwrap_or(error).render().to_string();
            // Nobody may read it: that is no fault.
            let _ = write!(std::io::stderr(), "{}", shown_lines(&told));
            ExitCode::from(2)
        }
        // Help was asked for, or the version.
        Err(error) => error.exit(),
    }
}
