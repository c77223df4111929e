//! The store on DynamoDB keeps the same contract as the memory store, and its calls cost the same: against a database
//! in this process, and against the emulator where `TIDEGATE_EMULATOR_URL` names one.

use std::collections::BTreeMap;

use dynoxide::Database;
use tidegate_aws::local::new_store;
use tidegate_aws::store::DynamoStore;
use tidegate_testkit::contract::{CASES, prices};
use tidegate_testkit::memory::MemoryStore;
use tokio::net::TcpListener;

/// A database of this process, gone with the test.
async fn dynoxide(prefix: &str) -> DynamoStore {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().expect("a database")));
    new_store(&format!("http://{address}"), prefix).await.expect("tables")
}

async fn keeps_the_contract(store: &DynamoStore) {
    for case in CASES {
        println!("{}", case.name);
        case.run(store, "contract").await;
    }
}

/// Prices by label: counted here and counted in memory.
async fn assert_same_prices(store: &DynamoStore) {
    let memory = MemoryStore::default();
    let in_memory = prices::prices(&memory, &memory.meter(), "prices").await;
    let counted = prices::prices(store, &store.meter(), "prices").await;
    let different: BTreeMap<_, _> = counted
        .iter()
        .zip(&in_memory)
        .filter(|(here, memory)| here.counted != memory.counted || here.counted != here.expected)
        .map(|(here, memory)| (here.label, (here.counted, memory.counted, here.expected)))
        .collect();
    assert!(different.is_empty(), "counted here, counted in memory, documented: {different:#?}");
}

#[tokio::test]
async fn dynoxide_keeps_the_contract() {
    keeps_the_contract(&dynoxide("contract").await).await;
}

#[tokio::test]
async fn dynoxide_counts_what_memory_counts() {
    assert_same_prices(&dynoxide("prices").await).await;
}

#[tokio::test]
async fn the_emulator_keeps_the_contract_and_counts_the_same() {
    let Ok(url) = std::env::var("TIDEGATE_EMULATOR_URL") else {
        println!("SKIPPED: TIDEGATE_EMULATOR_URL names no emulator");
        return;
    };
    let prefix = format!("contract-{}", uuid::Uuid::new_v4().simple());
    let store = new_store(&url, &prefix).await.expect("tables");
    keeps_the_contract(&store).await;
    assert_same_prices(&store).await;
}
