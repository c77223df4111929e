//! `tidegate`: the local stack, and everything that an operator does from a shell.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod api;
mod arguments;
mod bench;
mod board;
mod bus;
mod commands;
mod confirm;
mod demo;
mod device;
mod fleet;
mod policies_apply;
mod policies_delete;
mod policies_windows;
mod progress;
mod push;
#[cfg(test)]
mod routes_in_memory;
mod seed;
mod simulation;
mod stack;
mod stderr;
mod stdout;
mod table;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

/// Updates the Docker images of a whole device fleet, safely.
#[derive(Parser)]
#[command(name = "tidegate", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    // TLS of every client: ring, as everywhere. It can only be set once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given = documented(Arguments::command()).get_matches();
    let Arguments { command } = Arguments::from_arg_matches(&given).unwrap_or_else(|error| error.exit());
    match command.run().await {
        Ok(code) => code,
        Err(error) => {
            stderr::line(format_args!("error: {}", in_words(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, each told once: some messages quote their cause already.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.contains(&cause) {
            continue;
        }
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&cause);
    }
    words
}

/// Every command's help names the variables that the command heeds.
fn documented(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|command| match command.get_name() {
        "up" | "down" | "status" | "demo" => command.after_help(arguments::STACK_ENVIRONMENT),
        "policies" | "rollouts" | "devices" | "simulate" => calls_a_stack(command),
        _ => command,
    })
}

fn calls_a_stack(command: clap::Command) -> clap::Command {
    let offline = command.get_name() == "windows";
    let command = command.mut_subcommands(calls_a_stack);
    if offline { command } else { command.after_help(arguments::ENVIRONMENT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of a command, as it is asked for: `tidegate rollouts list --help`.
    fn help(path: &[&str]) -> String {
        let mut command = documented(Arguments::command());
        command.build();
        let found = path.iter().fold(&mut command, |command, name| {
            command.find_subcommand_mut(name).unwrap_or_else(|| panic!("there is no {name}"))
        });
        found.render_long_help().to_string()
    }

    #[test]
    fn arguments_fit_together() {
        documented(Arguments::command()).debug_assert();
    }

    #[test]
    fn a_cause_is_told_once() {
        let refused = || anyhow::anyhow!("the engine: no such image");
        let cause = anyhow::anyhow!("no such image");
        assert_eq!(
            in_words(&cause.context("the engine: no such image").context("it was not pulled")),
            "it was not pulled: the engine: no such image"
        );
        assert_eq!(in_words(&refused()), "the engine: no such image");
        assert_eq!(in_words(&refused().context("a").context("b")), "b: a: the engine: no such image");
    }

    #[test]
    fn help_lists_values_and_variables() {
        for (path, told) in [
            (
                &["rollouts", "list"][..],
                &["awaiting_approval, scheduled", "TIDEGATE_URL", "TIDEGATE_OPERATOR_TOKEN"][..],
            ),
            (&["rollouts", "devices"], &["rolled_back, deferred", "TIDEGATE_URL"]),
            (&["rollouts", "events"], &["image.policy_overridden", "device.rolled_back"]),
            (
                &["rollouts", "trigger"],
                &["auto", "scheduled", "failed", "KEY=VALUE", "--override-window", "TIDEGATE_URL"],
            ),
            (&["devices", "list"], &["idle", "blocked", "KEY=VALUE"]),
            (&["devices", "enrol"], &["TIDEGATE_DEVICE_TOKEN", "TIDEGATE_PROVISIONING_KEY", "KEY=VALUE"]),
            (&["policies", "apply"], &["TIDEGATE_URL"]),
            (&["simulate"], &["unhealthy", "TIDEGATE_WEBHOOK_SECRET"]),
            (&["up"], &["TIDEGATE_STATE", "AWS_ENDPOINT_URL"]),
            (&["status"], &["TIDEGATE_STATE"]),
        ] {
            let help = help(path);
            for word in told {
                assert!(help.contains(word), "{word} in the help of {path:?}:\n{help}");
            }
        }
        assert!(!help(&["policies", "windows"]).contains("TIDEGATE_URL"), "it needs no stack");
    }
}
