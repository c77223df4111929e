//! The memory store keeps the contract of stores, and counts as DynamoDB does.

use futures::FutureExt as _;
use tidegate_testkit::contract::{CASES, prices};
use tidegate_testkit::memory::MemoryStore;

#[test]
fn memory_keeps_the_contract() {
    let store = MemoryStore::default();
    for case in CASES {
        println!("{}", case.name);
        case.run(&store, "memory").now_or_never().expect("memory answers at once");
    }
}

#[test]
fn memory_counts_what_dynamodb_counts() {
    let store = MemoryStore::default();
    let counted = prices::prices(&store, &store.meter(), "memory").now_or_never().expect("memory answers at once");
    for price in counted {
        assert_eq!(price.counted, price.expected, "{}", price.label);
    }
}
