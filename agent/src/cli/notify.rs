//! What systemd is told, where it runs the agent.

use std::convert::Infallible;

use sd_notify::NotifyState;

/// The agent does its work.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// The agent ends because it was asked to.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// What the agent does, for `systemctl status`.
pub(super) fn status(words: &str) {
    tell(NotifyState::Status(&words.replace('\n', " ")));
}

/// Says from time to time that this thread still turns, for ever. A manager that hears nothing starts the agent anew.
pub(super) async fn watchdog() -> Infallible {
    let Some(longest) = sd_notify::watchdog_enabled().filter(|longest| !longest.is_zero()) else {
        return std::future::pending().await;
    };
    let mut turns = tokio::time::interval(longest / 2);
    loop {
        turns.tick().await;
        tell(NotifyState::Watchdog);
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
