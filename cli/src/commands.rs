//! The subcommands: one file each, with its arguments and its `run`.

mod bench;
mod capacity;
mod deliveries;
mod demo;
mod devices;
mod down;
mod logs;
mod policies;
mod push;
mod rollouts;
mod simulate;
mod simulate_engine;
mod status;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What `tidegate` can be asked to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring up the local stack: the emulator of AWS, the functions, the tables.
    Up(up::Arguments),
    /// End the local stack and remove everything that it kept.
    Down(down::Arguments),
    /// Say what of the local stack runs.
    Status(status::Arguments),
    /// Print what the functions of the local stack logged
    Logs(logs::Arguments),
    /// Tell the stack of a push, as the image's registry would
    Push(push::Arguments),
    /// Run the main job in one go: a fleet, a good image through three batches, a bad one stopped and rolled back.
    Demo(demo::Arguments),
    /// Run simulated devices against the stack.
    Simulate(simulate::Arguments),
    /// Run the engine itself over seeds, in memory and under faults.
    SimulateEngine(simulate_engine::Arguments),
    /// Count what each operation costs in DynamoDB's units, in small fleets and in large ones.
    Capacity(capacity::Arguments),
    /// Measure things.
    #[command(subcommand)]
    Bench(bench::Command),
    /// The policies that rollouts follow.
    #[command(subcommand)]
    Policies(policies::Command),
    /// Look at rollouts, and command them.
    #[command(subcommand)]
    Rollouts(rollouts::Command),
    /// Look at devices, and enrol one.
    #[command(subcommand)]
    Devices(devices::Command),
    /// What registries told, looked at again.
    #[command(subcommand)]
    Deliveries(deliveries::Command),
}

impl Command {
    /// Runs it; the answer is the program's exit code.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Up(arguments) => arguments.run().await,
            Self::Down(arguments) => arguments.run().await,
            Self::Status(arguments) => arguments.run().await,
            Self::Logs(arguments) => arguments.run().await,
            Self::Push(arguments) => arguments.run().await,
            Self::Demo(arguments) => arguments.run().await,
            Self::Simulate(arguments) => arguments.run().await,
            Self::SimulateEngine(arguments) => arguments.run(),
            Self::Capacity(arguments) => arguments.run().await,
            Self::Bench(command) => command.run().await,
            Self::Policies(command) => command.run().await,
            Self::Rollouts(command) => command.run().await,
            Self::Devices(command) => command.run().await,
            Self::Deliveries(command) => command.run().await,
        }
    }
}
