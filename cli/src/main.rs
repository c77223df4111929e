//! `tidegate`: the local stack, and everything that an operator does from a shell.

mod api;
mod bench;
mod board;
mod bus;
mod commands;
mod demo;
mod device;
mod fleet;
mod policies_apply;
mod policies_windows;
mod progress;
mod push;
#[cfg(test)]
mod routes_in_memory;
mod seed;
mod simulation;
mod stack;
mod stdout;
mod table;
mod verify;

use std::process::ExitCode;

use clap::Parser;

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
    let Arguments { command } = Arguments::parse();
    match command.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
