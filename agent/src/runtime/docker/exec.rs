//! Commands inside a container.

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures::StreamExt;

use super::DockerRuntime;
use super::connection::CALL;
use crate::fault::{Fault, Reason};
use crate::runtime::ContainerId;

/// Most bytes of a command's output that a fault quotes.
const QUOTED: usize = 300;

impl DockerRuntime {
    /// Runs a command in a container; its exit code says whether it is well.
    pub(super) async fn exec(&self, id: &ContainerId, command: &[String]) -> Result<(), Fault> {
        let docker = self.connection.docker().await?;
        let options = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let asked = docker.create_exec(&id.0, options);
        let created = self.connection.ask("preparing the command in the container", CALL, asked).await?;
        let asked = docker.start_exec(&created.id, None::<StartExecOptions>);
        let started = self.connection.ask("starting the command in the container", CALL, asked).await?;
        let mut output = Tail::default();
        if let StartExecResults::Attached { output: mut lines, .. } = started {
            // The caller bounds the time.
            while let Some(Ok(line)) = lines.next().await {
                output.push(&line.into_bytes());
            }
        }
        let asked = docker.inspect_exec(&created.id);
        let ended = self.connection.ask("asking how the command ended", CALL, asked).await?;
        judge(command, ended.exit_code, &output)
    }
}

/// A command's end, as a fault where it says no.
pub(super) fn judge(command: &[String], code: Option<i64>, output: &Tail) -> Result<(), Fault> {
    let ended = match code {
        Some(0) => return Ok(()),
        Some(code) => format!("ended with {code}"),
        None => "was killed".to_owned(),
    };
    let (program, said) = (command.first().map_or("", String::as_str), output.text());
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    Err(Fault::new(Reason::Unhealthy, format!("{program} {ended}{said}")))
}

#[derive(Debug, Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        // A chatty command costs no more memory than a quiet one.
        if self.0.len() > 16 * QUOTED {
            self.0.drain(..self.0.len() - QUOTED);
        }
    }

    pub(super) fn text(&self) -> String {
        let from = self.0.len().saturating_sub(QUOTED);
        String::from_utf8_lossy(&self.0[from..]).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_commands_end() {
        let command = ["/bin/check".to_owned(), "--password=x".to_owned()];
        let mut output = Tail::default();
        for _ in 0..10_000 {
            output.push(b"noise\n");
        }
        output.push(b"the pump does not answer\n");
        assert_eq!(judge(&command, Some(0), &output), Ok(()));
        for (code, expected) in [(Some(3), "/bin/check ended with 3: "), (None, "/bin/check was killed: ")] {
            let why = judge(&command, code, &output).expect_err("it says no").why;
            assert!(why.starts_with(expected) && why.ends_with("the pump does not answer"), "{why}");
            assert!(why.len() < 2 * QUOTED && !why.contains("password"), "{why}");
        }
    }
}
