//! What a healthy device asks and tells, as the devices' function serves it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::report::{Observed, Report, Reports, Verdict};
use tidegate_domain::strategy::Phase;
use tidegate_domain::target::Move;
use tidegate_engine::poll::{self, Answer, Shown, Snapshot};
use tidegate_engine::report::{self, Accepted};
use tidegate_engine::settings::Settings;

use crate::error::CapacityError;
use crate::fleet::{AT_ONCE, Fleet, SERVICE};

/// The reports before the swap, and after it, each sent in one body.
pub(crate) const BEFORE: [DeviceEvent; 2] = [DeviceEvent::ImagePulling, DeviceEvent::ImagePulled];
pub(crate) const AFTER: [DeviceEvent; 3] =
    [DeviceEvent::ContainerUpdating, DeviceEvent::UpdateCompleted, DeviceEvent::HealthCheckPassed];

/// What a poll told.
pub(crate) struct Told {
    /// For the next poll's If-None-Match.
    pub(crate) seen: Snapshot,
    /// The move of the service, if it is to move.
    pub(crate) to_move: Option<Move>,
}

impl Fleet {
    /// A GET of the target state.
    pub(crate) async fn poll(&self, device: DeviceUuid, seen: &[Snapshot]) -> Result<Told, CapacityError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (ports, pace) = (&self.ports, Settings::default().pace);
        let answer = poll::answer(ports, &self.memory, pace, device, |_| Shown::Current, seen, self.now).await?;
        match answer {
            Answer::Target { mut state, seen, .. } => {
                Ok(Told { seen, to_move: state.services.remove(SERVICE).and_then(|service| service.rollout) })
            }
            Answer::Unauthorized | Answer::Gone => {
                Err(CapacityError::Unexpected { wanted: "a poll", what: format!("{answer:?}") })
            }
        }
    }

    /// A poll that must be told to go that far.
    pub(crate) async fn told(&self, device: DeviceUuid, wanted: Phase) -> Result<(), CapacityError> {
        let told = self.poll(device, &[]).await?;
        if told.to_move.as_ref().is_some_and(|told| told.phase == wanted) {
            return Ok(());
        }
        let wanted = if wanted == Phase::Swap { "a swap" } else { "an offer" };
        Err(CapacityError::Unexpected { wanted, what: format!("told {:?}", told.to_move) })
    }

    /// A PATCH with reports; the last ones tell what runs as well.
    pub(crate) async fn reports(
        &self,
        device: DeviceUuid,
        rollout: &RolloutId,
        events: &[DeviceEvent],
    ) -> Result<(), CapacityError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let done = events.contains(&DeviceEvent::HealthCheckPassed);
        let first = if done { BEFORE.len() } else { 0 };
        let report = |(n, event): (usize, &DeviceEvent)| Report {
            id: format!("{device}-{n}"),
            service: Some(SERVICE.to_owned()),
            rollout_id: rollout.clone(),
            attempt: 1,
            seq: Some((first + n + 1) as u32),
            event: *event,
            message: None,
            until: None,
            digest: None,
        };
        let observed = Observed {
            image: Some(self.new.clone()),
            digest: self.new.digest.clone(),
            unread_digest: false,
            status: Some("running".to_owned()),
            healthy: Some(true),
        };
        let body = Reports {
            services: if done { BTreeMap::from([(SERVICE.to_owned(), observed)]) } else { BTreeMap::new() },
            platform: None,
            reports: events.iter().enumerate().map(report).collect(),
        };
        let taken = report::accept(&self.ports, &self.memory, device, |_| Shown::Current, &body, self.now).await?;
        match taken {
            Accepted::Reports { verdicts, .. } if verdicts.iter().all(|verdict| *verdict == Verdict::Accepted) => {
                Ok(())
            }
            Accepted::Reports { .. } | Accepted::Unauthorized | Accepted::Gone => {
                Err(CapacityError::Unexpected { wanted: "reports", what: format!("{taken:?}") })
            }
        }
    }

    /// The same of every device: of the first alone, so that the rollouts are in memory, then of some at a time.
    pub(crate) async fn each<F>(
        &self,
        devices: &[DeviceUuid],
        request: impl Fn(DeviceUuid) -> F,
    ) -> Result<(), CapacityError>
    where
        F: Future<Output = Result<(), CapacityError>>,
    {
        let Some((first, others)) = devices.split_first() else { return Ok(()) };
        request(*first).await?;
        stream::iter(others.iter().map(|device| request(*device))).buffer_unordered(AT_ONCE).try_collect().await
    }
}
