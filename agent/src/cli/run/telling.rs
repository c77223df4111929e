//! Tells people on the device, and its service manager, how the agent is.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use crate::cli::notify;
use crate::config::Config;
use crate::host::{DeviceHost, Host};
use crate::state::memory::Failed;
use crate::state::snapshot::{Doing, Snapshot};
use crate::state::status::{Failing, LastError, ServiceStatus, Status, TokenState, Waiting, Work};

/// Shortest time between two writes: a pull changes what is seen many times in a second.
const BETWEEN: Duration = Duration::from_secs(1);

/// What is told, and what was told last.
pub(super) struct Telling {
    runtime_dir: PathBuf,
    host: Arc<DeviceHost>,
    status: Status,
    doing: Doing,
    answered: u64,
    errors: u64,
}

impl Telling {
    /// Nothing is told yet.
    pub(super) fn new(config: &Config, uuid: Uuid, host: Arc<DeviceHost>) -> Self {
        let status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device_uuid: Some(uuid),
            url: config.url.clone(),
            at: Timestamp::UNIX_EPOCH,
            last_contact: None,
            last_error: None,
            token: TokenState::Unknown,
            services: std::collections::BTreeMap::new(),
            failing: std::collections::BTreeMap::new(),
            work: None,
            lock: None,
            outbox: 0,
        };
        let runtime_dir = config.runtime_dir.clone();
        Self { runtime_dir, host, status, doing: Doing::Starting, answered: 0, errors: 0 }
    }

    /// Tells every change, for as long as there are any.
    pub(super) async fn watch(mut self, mut watched: watch::Receiver<Snapshot>) -> Infallible {
        loop {
            let seen = watched.borrow_and_update().clone();
            self.look(&seen, Timestamp::now());
            if let Err(error) = self.status.write(&self.runtime_dir) {
                // It is for people alone: the agent works without.
                tracing::debug!(%error, "the status cannot be written");
            }
            notify::status(word(seen.doing));
            sleep(BETWEEN).await;
            if watched.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Takes over what is seen now.
    fn look(&mut self, seen: &Snapshot, now: Timestamp) {
        let status = &mut self.status;
        let Snapshot { memory, doing, pulled, tally } = seen;
        status.at = now;
        if tally.errors > self.errors {
            let why = tally.last_error.clone().unwrap_or_default();
            status.last_error = Some(LastError { at: now, why });
        }
        if tally.polls + tally.reports > self.answered {
            status.last_contact = Some(now);
            status.token = TokenState::Ok;
            if tally.errors == self.errors {
                status.last_error = None;
            }
        }
        (self.answered, self.errors) = (tally.polls + tally.reports, tally.errors);
        status.token = match doing {
            Doing::Denied => TokenState::Denied,
            Doing::Deleted => TokenState::Deleted,
            Doing::Starting
            | Doing::Idle
            | Doing::Pulling
            | Doing::Swapping
            | Doing::Blocked
            | Doing::Unheard
            | Doing::Vanished => status.token,
        };
        let services = about(seen);
        if *doing != self.doing {
            self.doing = *doing;
            status.work = None;
        }
        if matches!(doing, Doing::Pulling | Doing::Swapping) {
            let since = status.work.take().map_or(now, |work| work.since);
            let what = if *doing == Doing::Pulling && pulled.total > 0 {
                format!("pulling, {} of {} MB", pulled.done / 1_000_000, pulled.total / 1_000_000)
            } else {
                word(*doing).to_owned()
            };
            status.work = Some(Work { service: services.join(", "), what, since });
        }
        let locked = |service: &String| {
            let lock = self.host.lock(service)?;
            Some(Waiting { service: service.clone(), reason: lock.reason, until: lock.until })
        };
        status.lock = services.iter().filter(|_| *doing == Doing::Blocked).find_map(locked);
        let shown = |(name, running): (&String, &crate::state::memory::Running)| {
            let crate::state::memory::Running { image, healthy, status } = running.clone();
            (name.clone(), ServiceStatus { image, state: status, healthy: Some(healthy) })
        };
        status.services = memory.running.iter().map(shown).collect();
        let failing = |(name, failed): (&String, &Failed)| {
            let Failed { why, times, not_before, .. } = failed.clone();
            (name.clone(), Failing { why, tries: times, again_at: not_before })
        };
        status.failing = memory.failing().map(failing).collect();
        status.outbox = memory.outbox_len();
    }
}

/// The services that the agent is at: those of a swap, else those that are to move.
fn about(seen: &Snapshot) -> Vec<String> {
    if let Some(swap) = &seen.memory.swap {
        return swap.services.iter().map(|service_swap| service_swap.service.clone()).collect();
    }
    let target = seen.memory.target.iter().flat_map(|target| &target.services);
    target.filter(|(_, service)| service.rollout.is_some()).map(|(name, _)| name.clone()).collect()
}

const fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Starting => "starting",
        Doing::Idle => "all is done",
        Doing::Pulling => "pulling",
        Doing::Swapping => "swapping",
        Doing::Blocked => "a lock holds an update",
        Doing::Unheard => "the server does not answer",
        Doing::Denied => "the server does not take this device's token",
        Doing::Deleted | Doing::Vanished => "the server has deleted this device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Folder, config};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn a_day_of_an_agent() {
        let folder = Folder::new();
        let config = config(&folder, "https://a.example", "");
        let host = Arc::new(DeviceHost::new(&config));
        let mut telling = Telling::new(&config, Uuid::from_u128(7), host);
        let mut seen = Snapshot::default();
        let text = r#"{"services": {"web": {"image": "a/b:2", "rollout": {"rollout_id": "R", "attempt": 1,
            "action": "update", "phase": "swap"}}}}"#;
        seen.memory.target = serde_json::from_str(text).expect("the contract's shape");

        (seen.doing, seen.tally.polls) = (Doing::Pulling, 1);
        telling.look(&seen, at(10));
        seen.pulled = crate::image::Pulled { done: 3_000_000, total: 9_000_000 };
        telling.look(&seen, at(20));
        let what = "pulling, 3 of 9 MB".to_owned();
        let work = Some(Work { service: "web".to_owned(), what, since: at(10) });
        assert_eq!((&telling.status.work, telling.status.last_contact), (&work, Some(at(10))));
        assert_eq!(telling.status.token, TokenState::Ok);

        seen.doing = Doing::Blocked;
        crate::locks::take(&config.runtime_dir, "web", &crate::locks::LockFile::default()).expect("taken");
        telling.look(&seen, at(30));
        assert_eq!(telling.status.work, None);
        assert_eq!(telling.status.lock, Some(Waiting { service: "web".to_owned(), reason: None, until: None }));

        seen.tally.failed("no route".to_owned());
        seen.doing = Doing::Unheard;
        telling.look(&seen, at(40));
        assert_eq!(telling.status.last_error, Some(LastError { at: at(40), why: "no route".to_owned() }));
        assert_eq!((telling.status.last_contact, &telling.status.lock), (Some(at(10)), &None));

        seen.doing = Doing::Denied;
        telling.look(&seen, at(50));
        assert_eq!(telling.status.token, TokenState::Denied);
        (seen.doing, seen.tally.polls) = (Doing::Idle, 2);
        telling.look(&seen, at(60));
        assert_eq!((telling.status.token, &telling.status.last_error), (TokenState::Ok, &None));
    }
}
