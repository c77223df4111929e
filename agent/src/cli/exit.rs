//! Exit codes, as scripts and systemd see them.

use crate::config::ConfigError;
use crate::server::enrol::EnrolError;
use crate::server::identity::IdentityError;
use crate::state::instance::InstanceError;

/// No agent runs.
pub(super) const NOT_RUNNING: u8 = 3;
/// Another agent runs: `EX_TEMPFAIL` of sysexits.h.
const BUSY: u8 = 75;
/// Somebody must mend the configuration first, so starting anew is of no use: `EX_CONFIG`.
const MEND: u8 = 78;

pub(super) fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return MEND;
        }
        match cause.downcast_ref() {
            Some(InstanceError::Taken(_)) => return BUSY,
            Some(InstanceError::Owner { .. }) => return MEND,
            Some(InstanceError::Io { .. }) => return 1,
            None => {}
        }
        if let Some(error) = cause.downcast_ref() {
            return of_identity(error);
        }
        if let Some(EnrolError::Identity(error)) = cause.downcast_ref() {
            return of_identity(error);
        }
        if let Some(EnrolError::NoFleet | EnrolError::NoKey | EnrolError::Key { .. }) = cause.downcast_ref() {
            return MEND;
        }
    }
    1
}

/// A disk that cannot be read may heal; the rest is for people.
fn of_identity(error: &IdentityError) -> u8 {
    if matches!(error, IdentityError::Io { .. }) { 1 } else { MEND }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn codes_tell_who_must_act() {
        let io = || std::io::Error::other("x");
        let path = std::path::PathBuf::new;
        for (label, error, expected) in [
            ("configuration", anyhow::Error::from(ConfigError::Unreadable { path: path(), why: io() }), 78),
            ("another agent", InstanceError::Taken(path()).into(), 75),
            ("a directory", InstanceError::Io { path: path(), why: io() }.into(), 1),
            ("an open identity", IdentityError::Exposed { path: path(), mode: 0o644 }.into(), 78),
            (
                "the same, while enrolling",
                EnrolError::from(IdentityError::Exposed { path: path(), mode: 0o644 }).into(),
                78,
            ),
            ("a disk", IdentityError::Io { path: path(), doing: "read", why: io() }.into(), 1),
            ("no key", EnrolError::NoKey.into(), 78),
            ("an operator's turn", EnrolError::AlreadyEnrolled(Uuid::nil()).into(), 1),
            ("anything else", anyhow::anyhow!("x"), 1),
        ] {
            assert_eq!(code(&error), expected, "{label}");
            assert_eq!(
                code(&Err::<(), _>(error).context("more").expect_err("it is one")),
                expected,
                "{label}, in words"
            );
        }
    }
}
