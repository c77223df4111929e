//! What a service manager is told: systemd's `sd_notify`, a datagram to a socket that it names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::Environment;

/// The way to the service manager, where there is one.
#[derive(Debug)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The one that the environment names.
    pub fn new(environment: Environment<'_>) -> Self {
        let to = environment("NOTIFY_SOCKET").and_then(|name| {
            let address = match name.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(&name),
            };
            Some((UnixDatagram::unbound().ok()?, address.ok()?))
        });
        let own = environment("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let longest = environment("WATCHDOG_USEC").filter(|_| own).and_then(|text| text.parse().ok());
        Self { to, watchdog: longest.filter(|micros| *micros > 0).map(Duration::from_micros) }
    }

    /// The agent does its work.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// The agent ends because it was asked to.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// What the agent does, for `systemctl status`.
    pub fn status(&self, words: &str) {
        self.say(&format!("STATUS={}", words.replace('\n', " ")));
    }

    /// Says from time to time that this thread still turns, for ever. A manager that hears nothing starts the agent anew.
    pub async fn watchdog(&self) -> std::convert::Infallible {
        let Some(longest) = self.watchdog else { return std::future::pending().await };
        let mut turns = tokio::time::interval(longest / 2);
        loop {
            turns.tick().await;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(words.as_bytes(), address)
        {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[tokio::test(start_paused = true)]
    async fn the_manager_hears_it() {
        let folder = Folder::new();
        let path = folder.path().join("notify");
        let name = format!("tidegate-{}", uuid::Uuid::new_v4());
        let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
        for (socket, said) in [
            (UnixDatagram::bind(&path).expect("bound"), path.display().to_string()),
            (UnixDatagram::bind_addr(&abstract_name).expect("bound"), format!("@{name}")),
        ] {
            let notifier = Notifier::new(&|variable| match variable {
                "NOTIFY_SOCKET" => Some(said.clone()),
                "WATCHDOG_USEC" => Some("2000000".to_owned()),
                _ => None,
            });
            notifier.ready();
            notifier.status("two\nlines");
            let begin = tokio::time::Instant::now();
            let longest = Duration::from_millis(2_500);
            tokio::time::timeout(longest, notifier.watchdog()).await.expect_err("it never ends");
            assert!(begin.elapsed() >= longest);
            notifier.stopping();
            let heard: Vec<_> = std::iter::repeat_with(|| {
                let mut bytes = [0; 64];
                let count = socket.recv(&mut bytes).expect("a datagram");
                String::from_utf8_lossy(&bytes[..count]).into_owned()
            })
            .take(6)
            .collect();
            let turn = "WATCHDOG=1";
            assert_eq!(heard, ["READY=1", "STATUS=two lines", turn, turn, turn, "STOPPING=1"]);
        }
    }

    #[test]
    fn nobody_listens() {
        for name in [None, Some(""), Some("/nowhere/at/all")] {
            Notifier::new(&|variable| name.filter(|_| variable == "NOTIFY_SOCKET").map(str::to_owned)).ready();
        }
    }

    #[test]
    fn another_process_watchdog_is_not_fed() {
        let notifier = Notifier::new(&|variable| match variable {
            "WATCHDOG_USEC" => Some("2000000".to_owned()),
            "WATCHDOG_PID" => Some("1".to_owned()),
            _ => None,
        });
        assert_eq!(notifier.watchdog, None);
    }
}
