//! Where a life is cut: an engine and a journal that count what is asked of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tidegate_agent::fault::Fault;
use tidegate_agent::image::Image;
use tidegate_agent::image::Pulled;
use tidegate_agent::runtime::docker::DockerEngine;
use tidegate_agent::runtime::{Container, ContainerId, Create, Engine, Place, Service};
use tidegate_agent::state::store::Journal;
use tidegate_agent::state::store::file::FileJournal;
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How far a call gets that is cut in its midst: it was sent, and nobody waits for its answer.
const MIDST: Duration = Duration::from_millis(4);

/// What happens at the end of a fuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The agent does nothing more.
    Agent,
    /// The agent lives on; somebody else is told.
    Other,
}

/// Burns down by one at every point where a cut leaves something else behind than at the point before.
///
/// All that survives the agent goes through its calls, so the end of one call and the beginning of the next are one
/// point. A call that changes something has one more, in its midst. How often something is looked at while nothing
/// changes depends on the machine: a second look in a row is no point, so that each run has the same ones.
pub(super) struct Fuse {
    left: AtomicI64,
    blown: AtomicBool,
    looked: AtomicBool,
    end: End,
    told: Notify,
    trace: Mutex<Vec<&'static str>>,
}

impl Fuse {
    pub(super) fn of(points: i64, end: End) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(points),
            blown: AtomicBool::new(false),
            looked: AtomicBool::new(false),
            end,
            told: Notify::new(),
            trace: Mutex::default(),
        })
    }

    /// Waits until it has burnt down.
    pub(super) async fn blown(&self) {
        self.told.notified().await;
    }

    /// The points that were passed, in order.
    pub(super) fn trace(&self) -> Vec<&'static str> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this point, or one before it, is the last one.
    fn burns(&self, point: &'static str) -> bool {
        if !self.blown.load(Ordering::Relaxed) {
            self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(point);
            if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
                self.blown.store(true, Ordering::Relaxed);
                self.told.notify_one();
            }
        }
        self.end == End::Agent && self.blown.load(Ordering::Relaxed)
    }

    /// Whether the agent is to do nothing more.
    fn dead(&self) -> bool {
        self.end == End::Agent && self.blown.load(Ordering::Relaxed)
    }

    /// Passes a point, or stays there for ever.
    pub(super) async fn pass(&self, point: &'static str) {
        self.looked.store(false, Ordering::Relaxed);
        if self.burns(point) {
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
            if self.dead() || (!again && self.burns(point)) {
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
            if self.burns(midst) {
                let _ = timeout(MIDST, call).await;
                return std::future::pending().await;
            }
            call.await
        };
        around.boxed()
    }
}

/// A real engine, asked by an agent that is cut.
pub(super) struct Cut {
    pub(super) engine: Arc<DockerEngine>,
    pub(super) fuse: Arc<Fuse>,
}

impl Engine for Cut {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        self.fuse.look("services", self.engine.services()).await
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        self.fuse.look("containers", self.engine.containers(service)).await
    }

    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        self.fuse.look("present", self.engine.present(image)).await
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        self.fuse.change("pull", "in pull", self.engine.pull(image, progress)).await
    }

    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        self.fuse.change("create", "in create", self.engine.create(create)).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        self.fuse.change("start", "in start", self.engine.start(id)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        self.fuse.change("stop", "in stop", self.engine.stop(id, grace)).await
    }

    async fn hold(&self, id: &ContainerId, held: bool) -> Result<(), Fault> {
        let (point, midst) = if held { ("hold", "in hold") } else { ("let go", "in let go") };
        self.fuse.change(point, midst, self.engine.hold(id, held)).await
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        self.fuse.change("rename", "in rename", self.engine.rename(id, service, to)).await
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        self.fuse.change("serve", "in serve", self.engine.serve(id, service)).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.fuse.change("remove", "in remove", self.engine.remove(id)).await
    }

    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        self.fuse.look("probe", self.engine.probe(service, id, check)).await
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        self.fuse.look("last words", self.engine.last_words(id)).await
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        self.fuse.change("prune", "in prune", self.engine.prune(keep)).await
    }
}

/// The real journal, of an agent that is cut.
pub(super) struct Book {
    pub(super) journal: FileJournal,
    pub(super) fuse: Arc<Fuse>,
}

impl Journal for Book {
    fn write(&mut self, state: &[u8]) -> std::io::Result<()> {
        self.fuse.looked.store(false, Ordering::Relaxed);
        // A dead agent comes no further than its next call.
        if self.fuse.burns("journal") { Ok(()) } else { self.journal.write(state) }
    }
}
