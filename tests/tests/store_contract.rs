//! The store on DynamoDB keeps the same contract as the memory store, and its calls cost the same: against a database
//! in this process, and against the emulator where `TIDEGATE_EMULATOR_URL` names one.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use dynoxide::Database;
use futures::FutureExt as _;
use tidegate_aws::local::new_store;
use tidegate_aws::store::DynamoStore;
use tidegate_testkit::contract::{CASES, prices};
use tidegate_testkit::memory::MemoryStore;
use tokio::net::TcpListener;

/// What MiniStack 1.5 lets through although DynamoDB rejects it: entries of maps without a name, and updates that name
/// an attribute twice.
const LENIENT_EMULATOR: &[&str] = &["names_are_never_empty", "wrong_updates_are_rejected"];

/// What MiniStack 1.5 counts as one read of up to 4 KB although it is more. Its writes are counted right.
const CHEAP_EMULATOR: &[&str] =
    &["eventual read of 4097 bytes", "consistent query of 5000 bytes", "eventual query of 5000 bytes"];

/// A database of this process, gone with the test.
async fn dynoxide(prefix: &str) -> DynamoStore {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().expect("a database")));
    new_store(&format!("http://{address}"), prefix).await.expect("tables")
}

/// Runs every case but the `lenient` ones, and names all that the store departs from.
async fn keeps_the_contract(store: &DynamoStore, lenient: &[&str]) {
    let mut departures = Vec::new();
    for case in CASES.iter().filter(|case| !lenient.contains(&case.name)) {
        let run = AssertUnwindSafe(case.run(store, "contract")).catch_unwind();
        if run.await.is_err() {
            departures.push(case.name);
        }
    }
    assert!(departures.is_empty(), "the store departs from {departures:?}");
}

/// Prices by label: counted here and counted in memory.
async fn assert_same_prices(store: &DynamoStore, wrong: &[&str]) {
    let memory = MemoryStore::default();
    let in_memory = prices::prices(&memory, &memory.meter(), "prices").await;
    let counted = prices::prices(store, &store.meter(), "prices").await;
    let different: BTreeMap<_, _> = counted
        .iter()
        .zip(&in_memory)
        .filter(|(here, _)| !wrong.contains(&here.label))
        .filter(|(here, memory)| here.counted != memory.counted || here.counted != here.expected)
        .map(|(here, memory)| (here.label, (here.counted, memory.counted, here.expected)))
        .collect();
    assert!(different.is_empty(), "counted here, counted in memory, documented: {different:#?}");
}

#[tokio::test]
async fn dynoxide_keeps_the_contract() {
    keeps_the_contract(&dynoxide("contract").await, &[]).await;
}

#[tokio::test]
async fn dynoxide_counts_what_memory_counts() {
    assert_same_prices(&dynoxide("prices").await, &[]).await;
}

#[tokio::test]
async fn the_emulator_keeps_the_contract_and_counts_the_same() {
    let Ok(url) = std::env::var("TIDEGATE_EMULATOR_URL") else {
        println!("SKIPPED: TIDEGATE_EMULATOR_URL names no emulator");
        return;
    };
    let prefix = format!("contract-{}", uuid::Uuid::new_v4().simple());
    let store = new_store(&url, &prefix).await.expect("tables");
    keeps_the_contract(&store, LENIENT_EMULATOR).await;
    assert_same_prices(&store, CHEAP_EMULATOR).await;
}
