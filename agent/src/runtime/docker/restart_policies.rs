//! The restart policies of held containers: a held one has the policy `no`, so its own must be kept elsewhere.
//!
//! A small file in the agent's state folder, written before the engine is told, so that no cut loses a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bollard::models::RestartPolicy;
use tokio::sync::Mutex;

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

    /// The policy that this container had before it was held.
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

    /// Forgets a container that is held no more, or gone.
    pub(super) async fn forget(&self, id: &ContainerId) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        let mut policies = self.read()?;
        if policies.remove(&id.0).is_none() {
            return Ok(());
        }
        self.write(&policies)
    }

    /// Forgets all containers but these: a cut right after a removal left the policy of one that is gone.
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
            // A file that a failing disk spoiled costs the policies of held adopted containers, not the device.
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(file = %self.file.display(), %error, "the held restart policies cannot be read");
                Policies::new()
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Policies::new()),
            Err(error) => Err(self.fault("read", &error)),
        }
    }

    fn write(&self, policies: &Policies) -> Result<(), Fault> {
        self.replace(policies).map_err(|error| self.fault("write", &error))
    }

    /// The old content or the new one is there after a cut, whole.
    fn replace(&self, policies: &Policies) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let beside = self.file.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(policies)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.file)?;
        File::open(folder)?.sync_all()
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

    fn policy(name: RestartPolicyNameEnum, retries: i64) -> RestartPolicy {
        RestartPolicy { name: Some(name), maximum_retry_count: Some(retries) }
    }

    #[tokio::test]
    async fn the_first_policy_outlives_the_process() {
        let folder = std::env::temp_dir().join(format!("tidegate-held-{}", uuid::Uuid::now_v7()));
        let (one, other) = (ContainerId("1f".to_owned()), ContainerId("2e".to_owned()));
        let first = policy(RestartPolicyNameEnum::ON_FAILURE, 5);

        let held = SuspendedRestartPolicies::new(&folder);
        assert_eq!(held.policy(&one).await, Ok(None));
        held.remember(&one, &first).await.expect("the folder can be written");
        held.remember(&one, &policy(RestartPolicyNameEnum::NO, 0)).await.expect("the folder can be written");

        let again = SuspendedRestartPolicies::new(&folder);
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
        fs::remove_dir_all(folder).expect("it is there");
    }
}
