//! Work that a lock blocks.

use tidegate_domain::event::DeviceEvent;

use super::work::{Kind, Work};
use super::{Agent, Stopped};
use crate::host::Host;
use crate::locks::Lock;
use crate::runtime::Runtime;
use crate::server::link::Link;
use crate::server::report::Details;
use crate::server::target::{Action, MoveKey};
use crate::state::store::StateStore;

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    pub(super) fn lock_of(&self, services: &[String]) -> Option<Lock> {
        services.iter().find_map(|service| self.executor.host.lock(service))
    }

    /// Whether a lock blocks this work; reports it if so.
    pub(super) fn is_locked(&mut self, work: &Work) -> Result<bool, Stopped> {
        let (Kind::Swap(moving) | Kind::GoBack(moving)) = &work.kind else {
            return Ok(matches!(work.kind, Kind::Converge) && self.lock_of(&work.names()).is_some());
        };
        let services = work.names();
        let Some(lock) = self.lock_of(&services) else {
            self.blocked = None;
            return Ok(false);
        };
        self.block(&services, &moving.key(), lock);
        self.save()?;
        Ok(true)
    }

    /// Reports once that a lock blocks this work, and again where the server asked again.
    pub(super) fn block(&mut self, services: &[String], key: &MoveKey, lock: Lock) {
        let again = self.blocked.as_ref().is_some_and(|(blocked, _)| blocked == key);
        if !again || key.action == Action::Update {
            let details =
                Details { reason: Some("locked".to_owned()), message: lock.reason, until: lock.until, digest: None };
            self.say(&services[0], key, DeviceEvent::UpdateBlocked, details);
        }
        self.blocked = Some((key.clone(), services.to_vec()));
    }
}
