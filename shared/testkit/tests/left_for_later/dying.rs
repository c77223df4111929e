//! Functions that die at any call, before or after its effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tidegate_engine::ports::{
    Freshness, Item, Job, Key, Page, Ports, Query, QueueError, Queues, Store, StoreError, Table, Write, WriteError,
};
use tidegate_engine::{step, webhook};

use super::world::{REPOSITORY, World, delivery, notice};

/// How a call ends that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Before,
    After,
}

/// Ports of which one call fails, before or after its effect, and every one after it: a function that dies there.
struct Dying {
    store: Arc<dyn Store>,
    queues: Arc<dyn Queues>,
    left: AtomicU32,
    cut: Cut,
}

#[derive(Debug, thiserror::Error)]
#[error("the function died")]
struct Died;

impl Dying {
    /// Whether the call has its effect, and whether it is answered.
    fn call(&self) -> (bool, bool) {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => (false, false),
            1 => (self.cut == Cut::After, false),
            _ => (true, true),
        }
    }

    fn read(&self) -> Result<(), StoreError> {
        if self.call().1 { Ok(()) } else { Err(StoreError::Unavailable(Box::new(Died))) }
    }
}

#[async_trait]
impl Store for Dying {
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError> {
        self.read()?;
        self.store.get(key, freshness).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.read()?;
        self.store.query(query).await
    }

    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError> {
        self.read()?;
        self.store.scan(table, after, limit).await
    }

    async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let (effect, answered) = self.call();
        let written = if effect { self.store.write(writes).await } else { Ok(()) };
        if answered { written } else { Err(StoreError::Unavailable(Box::new(Died)).into()) }
    }
}

#[async_trait]
impl Queues for Dying {
    async fn send(&self, jobs: &[Job], delay_seconds: u32) -> Result<(), QueueError> {
        let (effect, answered) = self.call();
        if effect {
            self.queues.send(jobs, delay_seconds).await?;
        }
        if answered { Ok(()) } else { Err(QueueError(Box::new(Died))) }
    }
}

impl World {
    fn dying(&self, calls: u32, cut: Cut) -> Ports {
        let (store, queues) = (Arc::clone(&self.ports.store), Arc::clone(&self.ports.queues));
        let dying = Arc::new(Dying { store, queues, left: AtomicU32::new(calls), cut });
        Ports { store: Arc::<Dying>::clone(&dying), queues: dying, ..self.ports.clone() }
    }
}

#[tokio::test]
async fn whoever_dies_loses_nothing_and_doubles_nothing() {
    for cut in [Cut::Before, Cut::After] {
        for digest in [Some(2), None] {
            for repeats in [true, false] {
                let mut calls = 1;
                loop {
                    let label = format!("{cut:?} call {calls}, digest {digest:?}, repeats: {repeats}");
                    let mut world = World::new(7).await;
                    let first = delivery(vec![notice(REPOSITORY, Some("e1"), "v2", digest)]);
                    let answered = world.deliver(&world.dying(calls, cut), &first).await.is_ok();
                    if answered {
                        assert!(calls > 10, "{label}");
                        break;
                    }
                    world.pass(15);
                    if repeats {
                        world.told(&first).await;
                    }
                    step::sweep(&world.ports, world.now).await.unwrap();
                    world.settle().await;
                    let rollouts = world.rollouts().len();
                    // A sender that does not repeat may have told nobody; but what was taken is finished.
                    assert!(rollouts == 7 || !repeats && rollouts <= 2, "{label}: {rollouts}");
                    let told = world.told(&first).await;
                    world.settle().await;
                    assert_eq!(world.rollouts().len(), 7, "{label}: {told:?}");
                    assert!(
                        !told.iter().any(|told| told.ends_with("rollout_created")) || !repeats,
                        "{label}: {told:?}"
                    );
                    calls += 1;
                }
            }
        }
    }
}

#[tokio::test]
async fn whoever_dies_behind_the_queue_is_gone_on_after() {
    for cut in [Cut::Before, Cut::After] {
        for digest in [Some(2), None] {
            let mut calls = 1;
            loop {
                let label = format!("{cut:?} call {calls}, digest {digest:?}");
                let mut world = World::new(9).await;
                let first = delivery(vec![notice(REPOSITORY, Some("e1"), "v2", digest)]);
                world.told(&first).await;
                let held = world.held();
                let (source, delivery_id) = &held[0];
                let ports = world.dying(calls, cut);
                let done = webhook::finish(&ports, &world.settings, source, delivery_id, world.now).await;
                world.pass(90);
                if done.is_err() {
                    world.finish(&held).await;
                } else {
                    assert!(calls > 10, "{label}");
                }
                step::sweep(&world.ports, world.now).await.unwrap();
                world.settle().await;
                assert_eq!(world.rollouts().len(), 9, "{label}");
                let told = world.told(&first).await;
                assert!(told.len() == 9 && told.iter().all(|told| told.ends_with("duplicate")), "{label}: {told:?}");
                if done.is_ok() {
                    break;
                }
                calls += 1;
            }
        }
    }
}
