use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::join_all;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tidegate_domain::ids::RolloutId;
use tidegate_engine::ports::{
    Condition, Freshness, Item, Job, Key, Ports, Query, QueueError, Table, Write, WriteError,
};

use super::*;
use crate::entropy::SeededEntropy;
use crate::memory::MemoryPorts;
use crate::world::{Chances, gated};

struct World {
    memory: MemoryPorts,
    ports: Ports,
    gate: Arc<Gate>,
}

fn world() -> World {
    let (memory, gate) = (MemoryPorts::default(), Arc::new(Gate::default()));
    let ports = gated(&memory, &gate, Arc::new(SeededEntropy::new(1)));
    World { memory, ports, gate }
}

fn key() -> Key {
    Key::simple(Table::Policies, "p")
}

fn put(revision: i64, condition: Condition) -> Write {
    let item = Item::from_iter([("id".into(), "p".into()), ("revision".into(), revision.into())]);
    Write::Put { table: Table::Policies, item, condition }
}

fn write(ports: &Ports, write: Write) -> impl Future<Output = Result<(), WriteError>> + 'static {
    let store = Arc::clone(&ports.store);
    async move { store.write(&[write]).await }
}

fn only_ticket<T>(driver: &Driver<T>) -> Ticket {
    let waiting = driver.waiting();
    assert_eq!(waiting.len(), 1);
    waiting[0].ticket
}

#[test]
fn the_driver_chooses_who_is_first() {
    let world = world();
    let mut driver = Driver::new(Arc::clone(&world.gate));
    driver.spawn("first", write(&world.ports, put(1, Condition::Absent)));
    driver.spawn("second", write(&world.ports, put(2, Condition::Absent)));
    let tickets: Vec<Ticket> = driver.waiting().iter().map(|waiting| waiting.ticket).collect();
    assert_eq!(driver.resume(tickets[1], Decision::Proceed), Progress::Done);
    assert_eq!(driver.resume(tickets[0], Decision::Proceed), Progress::Done);
    let told: Vec<String> = driver.take_done().iter().map(|done| format!("{}: {:?}", done.label, done.value)).collect();
    assert_eq!(told, ["second: Ok(())", "first: Err(Refused(0))"]);
    assert_eq!(driver.resume(tickets[0], Decision::Proceed), Progress::Unknown);
}

#[test]
fn a_failure_happens_before_or_after_the_effect() {
    for (decision, written) in [(Decision::FailBefore, false), (Decision::FailAfter, true), (Decision::Conflict, false)]
    {
        let world = world();
        let mut driver = Driver::new(Arc::clone(&world.gate));
        driver.spawn("write", write(&world.ports, put(1, Condition::Always)));
        driver.resume(only_ticket(&driver), decision);
        assert!(driver.take_done()[0].value.is_err(), "{decision:?}");
        assert_eq!(world.memory.store.peek(&key()).is_some(), written, "{decision:?}");
    }
}

#[test]
fn a_crash_keeps_what_was_done_and_nothing_else() {
    let world = world();
    let mut driver = Driver::new(Arc::clone(&world.gate));
    let ports = world.ports.clone();
    let task = driver.spawn("two writes", async move {
        write(&ports, put(1, Condition::Always)).await?;
        write(&ports, put(2, Condition::Always)).await
    });
    assert_eq!(driver.resume(only_ticket(&driver), Decision::Proceed), Progress::Waiting);
    assert_eq!(driver.crash(task).as_deref(), Some("two writes"));
    assert!(driver.waiting().is_empty());
    assert_eq!(world.memory.store.peek(&key()).unwrap()["revision"], 1);
}

#[test]
fn only_eventual_reads_are_stale() {
    let world = world();
    for revision in 1..=3 {
        write(&world.ports, put(revision, Condition::Always)).now_or_never().unwrap().unwrap();
    }
    for (freshness, newest) in [(Freshness::Eventual, false), (Freshness::Consistent, true)] {
        for seed in 0..20 {
            let mut driver = Driver::new(Arc::clone(&world.gate));
            let store = Arc::clone(&world.ports.store);
            driver.spawn("read", async move { store.get(&key(), freshness).await.unwrap() });
            driver.resume(only_ticket(&driver), Decision::Stale { seed });
            let read = driver.take_done().remove(0).value.map(|item| item["revision"].clone());
            assert_eq!(read == Some(3.into()), newest, "{freshness:?}, seed {seed}: {read:?}");
        }
    }
}

#[test]
fn many_calls_of_one_task_wait_together() {
    let world = world();
    let mut driver = Driver::new(Arc::clone(&world.gate));
    let ports = world.ports.clone();
    let task = driver.spawn("fan out", async move {
        let queries: Vec<Query> = (0..40).map(|n| Query::partition(Table::Events, n.to_string())).collect();
        join_all(queries.iter().map(|query| ports.store.query(query))).await.len()
    });
    assert_eq!(driver.waiting().len(), 40);
    let last = driver.waiting()[39].ticket;
    assert_eq!(driver.resume(last, Decision::Proceed), Progress::Waiting);
    assert_eq!(driver.waiting().len(), 39);
    assert_eq!(driver.finish(task), Some(40));
}

#[test]
fn half_of_the_messages_can_go_out() {
    let world = world();
    let mut driver = Driver::new(Arc::clone(&world.gate));
    let ports = world.ports.clone();
    driver.spawn("send", async move {
        let job = |n: u32| Job::Step { rollout_id: RolloutId::trusted(n.to_string()) };
        ports.queues.send(&[job(1), job(2), job(3)], 0).await
    });
    driver.resume(only_ticket(&driver), Decision::FailHalfway);
    assert!(matches!(driver.take_done()[0].value, Err(QueueError(_))));
    assert_eq!(world.memory.queues.take().len(), 1);
}

#[test]
fn what_awaits_no_port_is_stuck() {
    let world = world();
    let mut driver = Driver::new(Arc::clone(&world.gate));
    let task = driver.spawn("stuck", std::future::pending::<()>());
    assert_eq!(driver.finish(task), None);
}

#[test]
fn a_seed_repeats_its_run() {
    let run = |seed: u64| {
        let (world, mut random) = (world(), ChaCha8Rng::seed_from_u64(seed));
        let chances = Chances { fail_before: 200, fail_after: 200, conflict: 100, ..Chances::default() };
        let mut driver = Driver::new(Arc::clone(&world.gate));
        for revision in 0..5 {
            driver.spawn(revision.to_string(), write(&world.ports, put(revision, Condition::Always)));
        }
        let mut story = Vec::new();
        while let Some(waiting) = driver.waiting().pop() {
            let decision = chances.draw(&waiting.call, &mut random);
            story.push(format!("{} {decision:?}", waiting.call));
            driver.resume(waiting.ticket, decision);
        }
        story
    };
    assert_eq!(run(7), run(7));
    let decisions: BTreeMap<Vec<String>, u64> = (0..20).map(|seed| (run(seed), seed)).collect();
    assert!(decisions.len() > 10, "seeds differ");
    assert!(run(7)[0].starts_with("put policies/p "), "{:?}", run(7));
}
