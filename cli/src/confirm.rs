//! Asking before what cannot be taken back.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};

use anyhow::{Result, bail};

/// Whether the person says yes. `yes` says it beforehand; where nobody can be asked and it was not said, nothing is
/// done.
pub(crate) fn ask(question: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !stdin().is_terminal() {
        bail!("{question} Nobody can be asked here, and nothing was done; --yes does it without asking");
    }
    write!(stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, yes) in
            [("y\n", true), ("Yes\n", true), ("\n", false), ("no\n", false), ("", false), ("yep", false)]
        {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
        assert!(ask("Do it?", true).unwrap());
    }
}
