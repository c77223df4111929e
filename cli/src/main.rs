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

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use tidegate_domain::text::shown;

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
    let expected = documented(Arguments::command());
    let read = expected.clone().try_get_matches().and_then(|given| Arguments::from_arg_matches(&given));
    let Arguments { command } = match read {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            stderr::line(refused(&expected, &error, std::env::args_os()));
            return ExitCode::from(2);
        }
        // Help was asked for, or the version.
        Err(error) => error.exit(),
    };
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
    with_variables(command, &[])
}

fn with_variables(command: clap::Command, path: &[&str]) -> clap::Command {
    let command = command.mut_subcommands(|command| {
        let name = command.get_name().to_owned();
        with_variables(command, &[path, &[name.as_str()]].concat())
    });
    match arguments::heeded(path) {
        Some(variables) if !variables.is_empty() => command.after_help(variables),
        Some(_) | None => command,
    }
}

/// Says what is wrong with the arguments. They are quoted as they were given: what in them acts on a terminal is shown.
fn refused(command: &clap::Command, error: &clap::Error, given: impl IntoIterator<Item = OsString>) -> String {
    let harmless = given.into_iter().map(|argument| shown(&argument.to_string_lossy()).into_owned());
    match command.clone().try_get_matches_from(harmless) {
        Err(again) if again.use_stderr() => again.render().to_string(),
        Ok(_) | Err(_) => error.render().to_string(),
    }
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
            (&["push"], &["TIDEGATE_URL", "TIDEGATE_WEBHOOK_SECRET"]),
            (&["deliveries", "replay"], &["TIDEGATE_URL", "TIDEGATE_OPERATOR_TOKEN"]),
            (&["demo"], &["TIDEGATE_STATE", "TIDEGATE_DEMO_KEEP"]),
        ] {
            let help = help(path);
            for word in told {
                assert!(help.contains(word), "{word} in the help of {path:?}:\n{help}");
            }
        }
        assert!(!help(&["policies", "windows"]).contains("TIDEGATE_URL"), "it needs no stack");
    }

    /// Every command and every group of them, by the way to it.
    fn commands(of: &clap::Command, path: &[String]) -> Vec<Vec<String>> {
        let within = of.get_subcommands().flat_map(|command| {
            let path = [path, &[command.get_name().to_owned()]].concat();
            std::iter::once(path.clone()).chain(commands(command, &path))
        });
        within.collect()
    }

    /// The sources of a command, those of its parts, and the module of its name.
    fn sources(command: &str) -> String {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let name = command.replace('-', "_");
        let mut files = vec![root.join(format!("commands/{name}.rs")), root.join(format!("{name}.rs"))];
        let parts = std::fs::read_dir(root.join("commands").join(&name)).into_iter().flatten();
        files.extend(parts.map(|entry| entry.unwrap().path()));
        files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
    }

    #[test]
    fn no_command_is_forgotten() {
        for path in commands(&Arguments::command(), &[]) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            assert!(arguments::heeded(&path).is_some(), "say in arguments.rs which variables {path:?} heeds");
            let (source, help) = (sources(path[0]), help(&path));
            assert!(!source.is_empty(), "{path:?}");
            let offline = path == ["policies", "windows"];
            if source.contains("Connection::find") && !offline {
                for variable in ["TIDEGATE_URL", "TIDEGATE_STATE", "TIDEGATE_WEBHOOK_SECRET"] {
                    assert!(help.contains(variable), "{variable} in the help of {path:?}");
                }
            }
            // What is measured is built in the checkout, without a stack.
            if source.contains("Project::find") && path[0] != "bench" {
                assert!(help.contains("TIDEGATE_STATE"), "TIDEGATE_STATE in the help of {path:?}");
            }
        }
    }

    fn refusal(arguments: &[&str]) -> String {
        let given = || std::iter::once("tidegate").chain(arguments.iter().copied()).map(OsString::from);
        let expected = documented(Arguments::command());
        let read = expected.clone().try_get_matches_from(given());
        let error = read.and_then(|given| Arguments::from_arg_matches(&given)).err().expect("they are wrong");
        refused(&expected, &error, given())
    }

    #[test]
    fn wrong_arguments_act_on_no_terminal() {
        for arguments in [
            &["pu\u{1b}[2Jsh"][..],
            &["push", "--a\u{1b}]0;x\u{7}s"],
            &["push", "a:b", "c\u{9b}2J"],
            &["rollouts", "list", "--status", "\u{1b}[31m\nerror: none\u{202e}"],
            &["rollouts", "show", "\u{1b}[2J"],
            &["up", "--parameter", "\r\u{1b}[1A"],
        ] {
            let told = refusal(arguments);
            assert!(told.starts_with("error: "), "{told:?}");
            assert_eq!(tidegate_domain::text::shown_lines(&told), told, "{told:?}");
            assert!(!told.contains("\nerror: none"), "{told:?}");
            assert!(told.contains("\\u{") || told.contains("\\r"), "what was given is shown: {told:?}");
        }
    }

    #[test]
    fn no_item_at_all_is_no_page() {
        for command in ["rollouts", "devices"] {
            let told = refusal(&[command, "list", "--most", "0"]);
            assert!(told.contains("--most") && told.contains("1.."), "{told}");
        }
    }
}
