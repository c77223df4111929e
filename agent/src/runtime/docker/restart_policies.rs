//! Suspended restart policies: the engine has the policy `no` for such a container, so its own is kept here.
//!
//! A small file in the agent's state folder, written before the engine is told, so that no crash loses a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bollard::models::RestartPolicy;
use tokio::sync::Mutex;

use crate::durable;
use crate::fault::{Fault, Reason};
use crate::runtime::ContainerId;

type Policies = BTreeMap<String, RestartPolicy>;

/// The file, and one writer at a time.
#[derive(Debug)]
pub(super) struct SuspendedRestartPolicies {
    file: PathBuf,
    turn: Mutex<()>,
}

impl SuspendedRestartPolicies {
    pub(super) fn new(folder: &Path) -> Self {
        Self { file: folder.join("held.json"), turn: Mutex::new(()) }
    }

    /// The policy that this container had before it was suspended.
    pub(super) async fn policy(&self, id: &ContainerId) -> Result<Option<RestartPolicy>, Fault> {
        let _turn = self.turn.lock().await;
        Ok(self.read()?.remove(&id.0))
    }

    /// Remembers a policy; the first one stays, whatever comes later.
    pub(super) async fn remember(&self, id: &ContainerId, policy: &RestartPolicy) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        let mut policies = self.read()?;
        if policies.contains_key(&id.0) {
            return Ok(());
        }
        policies.insert(id.0.clone(), policy.clone());
        self.write(&policies)
    }

    /// Forgets a container whose policy is resumed, or that is gone.
    pub(super) async fn forget(&self, id: &ContainerId) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        let mut policies = self.read()?;
        if policies.remove(&id.0).is_none() {
            return Ok(());
        }
        self.write(&policies)
    }

    /// Forgets all containers but these: a crash right after a removal leaves the policy of one that is gone.
    pub(super) async fn keep_only<'a>(&self, there: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        let mut policies = self.read()?;
        if policies.is_empty() {
            return Ok(());
        }
        let (there, before): (BTreeSet<&str>, usize) = (there.collect(), policies.len());
        policies.retain(|id, _| there.contains(id.as_str()));
        if policies.len() == before { Ok(()) } else { self.write(&policies) }
    }

    fn read(&self) -> Result<Policies, Fault> {
        match fs::read(&self.file) {
            // A file that a failing disk spoiled costs the suspended policies of adopted containers, not the device.
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(file = %self.file.display(), %error, "the held restart policies cannot be read");
                Policies::new()
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Policies::new()),
            Err(error) => Err(self.fault("read", &error)),
        }
    }

    fn write(&self, policies: &Policies) -> Result<(), Fault> {
        let text = serde_json::to_vec(policies).map_err(io::Error::from);
        let written = text.and_then(|text| durable::replace(&self.file, &text, 0o600));
        written.map_err(|error| self.fault("write", &error))
    }

    fn fault(&self, doing: &str, error: &io::Error) -> Fault {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let reason = if full { Reason::DiskFull } else { Reason::Refused };
        Fault::new(reason, format!("cannot {doing} {}: {error}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::RestartPolicyNameEnum;

    use super::*;
    use crate::testing::Folder;

    fn policy(name: RestartPolicyNameEnum, retries: i64) -> RestartPolicy {
        RestartPolicy { name: Some(name), maximum_retry_count: Some(retries) }
    }

    #[tokio::test]
    async fn the_first_policy_outlives_the_process() {
        let folder = Folder::new();
        let (one, other) = (ContainerId("1f".to_owned()), ContainerId("2e".to_owned()));
        let first = policy(RestartPolicyNameEnum::ON_FAILURE, 5);

        let policies = SuspendedRestartPolicies::new(folder.path());
        assert_eq!(policies.policy(&one).await, Ok(None));
        policies.remember(&one, &first).await.expect("the folder can be written");
        policies.remember(&one, &policy(RestartPolicyNameEnum::NO, 0)).await.expect("the folder can be written");

        let again = SuspendedRestartPolicies::new(folder.path());
        assert_eq!(again.policy(&one).await, Ok(Some(first)), "what it had before it was held");
        assert_eq!(again.policy(&other).await, Ok(None));
        again.forget(&one).await.expect("the folder can be written");
        assert_eq!(again.policy(&one).await, Ok(None));
        for id in [&one, &other] {
            again.remember(id, &policy(RestartPolicyNameEnum::ALWAYS, 0)).await.expect("the folder can be written");
        }
        again.keep_only(["2e", "3d"].into_iter()).await.expect("the folder can be written");
        assert_eq!(again.policy(&one).await, Ok(None), "it is gone");
        assert!(again.policy(&other).await.expect("the file can be read").is_some());
    }
}
