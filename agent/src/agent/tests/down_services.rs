//! An engine on which neither the new container nor the old one can be started: what is down comes up again.

use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::fault::Fault;
use crate::hooks::{HookAnswer, HookCall};
use crate::locks::Lock;
use crate::runtime::Place;
use crate::simulated::{Durations, FaultProfile, SimulatedContainers, SimulatedRuntime};

type Simulated = SimulatedRuntime<fn(&Image) -> FaultProfile>;

/// A device that restarts its engine when it is asked to, or has nobody who could.
struct Device {
    runtime: Arc<Simulated>,
    restarts: bool,
}

impl Host for Device {
    fn lock(&self, _service: &str) -> Option<Lock> {
        None
    }

    async fn hook(&self, _call: HookCall<'_>) -> Result<HookAnswer, Fault> {
        Ok(HookAnswer::GoOn)
    }

    fn ask_engine_restart(&self) -> bool {
        if self.restarts {
            self.runtime.power_cut();
            self.runtime.keep_port(false);
        }
        self.restarts
    }
}

/// Survives the agent.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Vec<u8>>>);

impl StateStore for Slot {
    fn write(&mut self, state: &[u8]) -> std::io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state.to_vec();
        Ok(())
    }
}

struct World {
    runtime: Arc<Simulated>,
    restarts: bool,
    slot: Slot,
    told: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// Its engine keeps the port as soon as the old container is stopped.
    fn new(restarts: bool) -> Self {
        let containers = SimulatedContainers::running([("app".to_owned(), pinned("v1"))]);
        let runtime: Simulated =
            SimulatedRuntime::new(containers, |_| FaultProfile::Healthy, Durations::of_device(0.5));
        runtime.keep_port(true);
        let slot = Slot::default();
        let memory = Memory::running([("app".to_owned(), pinned("v1"))]);
        slot.clone().write(&serde_json::to_vec(&memory).expect("a memory")).expect("written");
        Self { runtime: Arc::new(runtime), restarts, slot, told: Arc::default() }
    }

    /// Lets an agent live over what the journal has, for a turn per answer and one of rest.
    async fn live(&self, answers: Vec<Answer>) -> Memory {
        let turns = answers.len();
        let link = Script { answers: answers.into(), refuse_reports: 0, told: Arc::clone(&self.told) };
        let host = Arc::new(Device { runtime: Arc::clone(&self.runtime), restarts: self.restarts });
        let ports = Ports { link, runtime: Arc::clone(&self.runtime), host, store: self.slot.clone() };
        let memory = serde_json::from_slice(&self.slot.0.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut agent, seen) = agent(ports, memory.expect("a memory"));
        agent.recover().await;
        for _ in 0..turns {
            agent.turn().await.expect("it is not deleted");
        }
        seen.borrow().memory.clone()
    }

    fn told(&self) -> String {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).join("; ")
    }

    fn runs_the_old_one(&self) {
        assert_eq!(self.runtime.look("app"), [(Place::Live, "v1".to_owned(), true)], "{}", self.told());
        assert!(self.runtime.serves("app") && !self.runtime.is_restart_suspended("app"), "as it was before");
    }
}

fn update() -> Vec<Answer> {
    vec![target("v2", Some(("update", "download", 1))), target("v2", Some(("update", "swap", 1)))]
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_restarted_when_asked_runs_the_old_one() {
    let world = World::new(true);
    let memory = world.live(update()).await;
    world.runs_the_old_one();
    assert!(memory.down_services.is_empty());
    assert!(world.told().contains("rolled_back"), "{}", world.told());
}

#[tokio::test(start_paused = true)]
async fn what_is_down_comes_up_when_the_engine_lets_it() {
    // Before and after the agent itself was started anew, in the next turn or at once.
    for (anew, answers) in [(false, vec![Answer::Unchanged]), (true, vec![Answer::Unchanged]), (true, Vec::new())] {
        let world = World::new(false);
        let owing = world.live(update()).await;
        assert_eq!(owing.down_services.iter().collect::<Vec<_>>(), ["app"]);
        assert!(world.told().contains("rollback_failed"), "{}", world.told());
        assert!(world.runtime.look("app").iter().all(|(_, _, runs)| !runs));
        if anew {
            world.runtime.power_cut();
        }
        let still = world.live(answers.clone()).await;
        assert_eq!(still.down_services, owing.down_services, "it is not forgotten");
        world.runtime.keep_port(false);
        let paid = world.live(answers).await;
        assert!(paid.down_services.is_empty());
        world.runs_the_old_one();
    }
}
