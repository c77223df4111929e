//! Where the agent crashes: a runtime and a store that count what is asked of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::sync::Notify;

use super::Simulated;
use crate::fault::Fault;
use crate::image::{Image, Pulled};
use crate::runtime::{Checks, Container, ContainerId, Containers, Create, Images, Place, Service, Services};
use crate::state::store::StateStore;

/// Counts the calls, and stops everything at the one that it was made for: from then on nothing happens any more.
pub(super) struct Failpoint {
    pub(super) left: AtomicI64,
    pub(super) dead: AtomicBool,
    pub(super) reached: Notify,
}

impl Failpoint {
    pub(super) fn of(calls: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(calls), dead: AtomicBool::new(false), reached: Notify::new() })
    }

    fn reaches(&self) -> bool {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.dead.store(true, Ordering::Relaxed);
        }
        self.dead.load(Ordering::Relaxed)
    }

    pub(super) async fn pass(&self) {
        if self.reaches() {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A container runtime on a device that crashes before or after any call.
pub(super) struct CrashingRuntime {
    pub(super) runtime: Arc<Simulated>,
    pub(super) failpoint: Arc<Failpoint>,
    pub(super) services: Vec<&'static str>,
    pub(super) never_both: bool,
}

impl CrashingRuntime {
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.failpoint.pass().await;
        let answer = call.await;
        for service in &self.services {
            let running = self.runtime.look(service).iter().filter(|(_, _, running)| *running).count();
            assert!(running <= 1 || !self.never_both, "{service} runs twice: {:?}", self.runtime.look(service));
        }
        self.failpoint.pass().await;
        answer
    }
}

impl Services for CrashingRuntime {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        self.around(self.runtime.services()).await
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        self.around(self.runtime.containers(service)).await
    }
}

impl Images for CrashingRuntime {
    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        self.around(self.runtime.present(image)).await
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        self.around(self.runtime.pull(image, progress)).await
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        self.around(self.runtime.prune(keep)).await
    }
}

impl Containers for CrashingRuntime {
    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        self.around(self.runtime.create(create)).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.start(id)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        self.around(self.runtime.stop(id, grace)).await
    }

    async fn suspend_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.suspend_restart_policy(id)).await
    }

    async fn resume_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.resume_restart_policy(id)).await
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        self.around(self.runtime.rename(id, service, to)).await
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        self.around(self.runtime.serve(id, service)).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.remove(id)).await
    }
}

impl Checks for CrashingRuntime {
    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        self.around(self.runtime.probe(service, id, check)).await
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        self.runtime.last_words(id).await
    }
}

/// A store that stops when the device does.
pub(super) struct CrashingStore {
    pub(super) kept: Arc<Mutex<Vec<u8>>>,
    pub(super) failpoint: Arc<Failpoint>,
}

impl StateStore for CrashingStore {
    fn write(&mut self, state: &[u8]) -> std::io::Result<()> {
        if !self.failpoint.reaches() {
            *lock(&self.kept) = state.to_vec();
        }
        Ok(())
    }
}
