//! `tidegate policies windows`: the coming maintenance windows of a policy in a file. Needs no stack.

mod listing;
#[cfg(test)]
mod tests;

use std::fmt::{Display, Write as _};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::file::parse_file;
use tidegate_domain::policy::{Origin, PolicyDefaults, RawPolicy};
use tidegate_domain::window::{Window, ZoneName};

use crate::{stderr, stdout};
use listing::Listing;

/// Which windows to list.
#[derive(Debug, clap::Args)]
pub(crate) struct WindowsArgs {
    /// File with the policies
    #[arg(long, default_value = "policies.yaml")]
    file: PathBuf,
    /// Name of the policy
    #[arg(long, value_name = "NAME")]
    policy: String,
    /// First instant, such as 2026-11-23T00:00:00Z; now if left out. A window that is open then comes first
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// How many windows
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Zone that a device reports, for a policy with `timezone: device`
    #[arg(long, value_name = "ZONE")]
    timezone: Option<ZoneName>,
    /// Print `[{"opens_at", "closes_at"}]` in UTC
    #[arg(long)]
    json: bool,
}

/// Lists the windows on standard output; with `--json` what else there is to say goes to standard error.
pub(crate) fn run(args: &WindowsArgs) -> anyhow::Result<()> {
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {file}"))?;
    let window = window_of(&text, &args.policy).with_context(|| format!("no windows to list from {file}"))?;
    let from = args.from.unwrap_or_else(Timestamp::now);
    let listing = Listing::new(&args.policy, &window, args.timezone.as_ref(), from, usize::from(args.count));
    if args.json {
        if let Some(note) = listing.note() {
            stderr::line(note);
        }
        stdout::print(format_args!("{}\n", listing.json()?))?;
    } else {
        stdout::print(&listing)?;
    }
    Ok(())
}

/// The window of the policy `name` in the text of a file.
fn window_of(text: &str, name: &str) -> anyhow::Result<Window> {
    // Which registries are allowed only the server knows, and a window is no matter of theirs.
    let defaults = PolicyDefaults { allowed_registries: None, ..PolicyDefaults::default() };
    let policies = parse_file(text, &defaults).map_err(|errors| joined("it has mistakes", &errors))?.policies;
    let Some(raw) = policies.iter().find(|policy| policy.name.as_deref() == Some(name)) else {
        let names: Vec<_> = policies.iter().filter_map(|policy| policy.name.as_deref()).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        bail!("there is no policy \"{name}\"; there is {there}");
    };
    let checked = RawPolicy::clone(raw).validate(&defaults, PolicyId::trusted(""), Timestamp::UNIX_EPOCH, Origin::File);
    let policy = checked.map_err(|errors| joined("the policy has mistakes", &errors))?;
    policy.window.ok_or_else(|| {
        anyhow!(
            "the policy \"{name}\" has no window, so its devices may swap at any time; \
             maintenance_window_start and maintenance_window_end give it one"
        )
    })
}

/// All mistakes, a line each.
fn joined<E: Display>(what: &str, errors: &[E]) -> anyhow::Error {
    let mut text = what.to_owned();
    for error in errors {
        // Writing to a String does not fail.
        let _ = write!(text, "\n  {error}");
    }
    anyhow!(text)
}
