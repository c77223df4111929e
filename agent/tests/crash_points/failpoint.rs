//! Where the agent crashes: a container runtime and a store that count what is asked of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tidegate_agent::fault::Fault;
use tidegate_agent::image::{Image, Pulled};
use tidegate_agent::runtime::docker::DockerRuntime;
use tidegate_agent::runtime::{Checks, Container, ContainerId, Containers, Create, Images, Place, Service, Services};
use tidegate_agent::state::store::StateStore;
use tidegate_agent::state::store::file::FileStore;
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How far a call gets that a crash interrupts: it was sent, and nobody waits for its answer.
const MIDST: Duration = Duration::from_millis(4);

/// What happens at a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The agent does nothing more.
    Agent,
    /// The agent lives on; somebody else is told.
    Other,
}

/// Counts the points where a crash leaves something else behind than at the point before.
///
/// All that survives the agent goes through its calls, so the end of one call and the beginning of the next are one
/// point. A call that changes something has one more, in its midst. How often something is looked at while nothing
/// changes depends on the machine: a second look in a row is no point, so that each run has the same ones.
pub(super) struct Failpoint {
    left: AtomicI64,
    reached: AtomicBool,
    looked: AtomicBool,
    end: End,
    notice: Notify,
    trace: Mutex<Vec<&'static str>>,
}

impl Failpoint {
    pub(super) fn of(points: i64, end: End) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(points),
            reached: AtomicBool::new(false),
            looked: AtomicBool::new(false),
            end,
            notice: Notify::new(),
            trace: Mutex::default(),
        })
    }

    /// Waits until it is reached.
    pub(super) async fn reached(&self) {
        self.notice.notified().await;
    }

    /// The points that were passed, in order.
    pub(super) fn trace(&self) -> Vec<&'static str> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this point, or one before it, is the last one.
    fn reaches(&self, point: &'static str) -> bool {
        if !self.reached.load(Ordering::Relaxed) {
            self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(point);
            if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
                self.reached.store(true, Ordering::Relaxed);
                self.notice.notify_one();
            }
        }
        self.end == End::Agent && self.reached.load(Ordering::Relaxed)
    }

    /// Whether the agent is to do nothing more.
    fn dead(&self) -> bool {
        self.end == End::Agent && self.reached.load(Ordering::Relaxed)
    }

    /// Passes a point, or stays there for ever.
    pub(super) async fn pass(&self, point: &'static str) {
        self.looked.store(false, Ordering::Relaxed);
        if self.reaches(point) {
            std::future::pending::<()>().await;
        }
    }

    /// A call that changes nothing.
    fn look<'a, T: Send + 'a>(
        &'a self,
        point: &'static str,
        call: impl Future<Output = T> + Send + 'a,
    ) -> BoxFuture<'a, T> {
        let around = async move {
            let again = self.looked.swap(true, Ordering::Relaxed);
            if self.dead() || (!again && self.reaches(point)) {
                std::future::pending::<()>().await;
            }
            let answer = call.await;
            if self.dead() {
                std::future::pending::<()>().await;
            }
            answer
        };
        around.boxed()
    }

    /// A call that changes something.
    fn change<'a, T: Send + 'a>(
        &'a self,
        point: &'static str,
        midst: &'static str,
        call: impl Future<Output = T> + Send + 'a,
    ) -> BoxFuture<'a, T> {
        let around = async move {
            self.pass(point).await;
            if self.reaches(midst) {
                let _ = timeout(MIDST, call).await;
                return std::future::pending().await;
            }
            call.await
        };
        around.boxed()
    }
}

/// A real container engine, asked by an agent that crashes.
pub(super) struct CrashingRuntime {
    pub(super) runtime: Arc<DockerRuntime>,
    pub(super) failpoint: Arc<Failpoint>,
}

impl Services for CrashingRuntime {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        self.failpoint.look("services", self.runtime.services()).await
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        self.failpoint.look("containers", self.runtime.containers(service)).await
    }
}

impl Images for CrashingRuntime {
    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        self.failpoint.look("present", self.runtime.present(image)).await
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        self.failpoint.change("pull", "in pull", self.runtime.pull(image, progress)).await
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        self.failpoint.change("prune", "in prune", self.runtime.prune(keep)).await
    }
}

impl Containers for CrashingRuntime {
    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        self.failpoint.change("create", "in create", self.runtime.create(create)).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        self.failpoint.change("start", "in start", self.runtime.start(id)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        self.failpoint.change("stop", "in stop", self.runtime.stop(id, grace)).await
    }

    async fn suspend_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.failpoint.change("suspend", "in suspend", self.runtime.suspend_restart_policy(id)).await
    }

    async fn resume_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.failpoint.change("resume", "in resume", self.runtime.resume_restart_policy(id)).await
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        self.failpoint.change("rename", "in rename", self.runtime.rename(id, service, to)).await
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        self.failpoint.change("serve", "in serve", self.runtime.serve(id, service)).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.failpoint.change("remove", "in remove", self.runtime.remove(id)).await
    }
}

impl Checks for CrashingRuntime {
    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        self.failpoint.look("probe", self.runtime.probe(service, id, check)).await
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        self.failpoint.look("last words", self.runtime.last_words(id)).await
    }
}

/// The real store, of an agent that crashes.
pub(super) struct CrashingStore {
    pub(super) store: FileStore,
    pub(super) failpoint: Arc<Failpoint>,
}

impl StateStore for CrashingStore {
    fn write(&mut self, state: &[u8]) -> std::io::Result<()> {
        self.failpoint.looked.store(false, Ordering::Relaxed);
        // A dead agent comes no further than its next call.
        if self.failpoint.reaches("journal") { Ok(()) } else { self.store.write(state) }
    }
}
