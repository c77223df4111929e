//! What operations cost stays within the budgets, and control costs the same whatever the fleet's size. The figures are
//! counted in memory, at full size; a DynamoDB in this process comes to the same ones in small fleets.

use std::collections::BTreeMap;

use tidegate_capacity::{
    Healthy, ITEM_BYTES, Operation, Place, REQUESTS_PER_DEVICE, SIZES, WHOLE, WRITE_UNITS_PER_DEVICE, healthy_rollout,
    operations,
};
use tidegate_engine::ports::Units;

async fn costs(place: Place, size: u32) -> BTreeMap<Operation, Units> {
    operations(place, size).await.expect("figures")
}

async fn rollout(place: Place, size: u32) -> Healthy {
    healthy_rollout(place, size).await.expect("a rollout that completes")
}

#[tokio::test]
async fn control_costs_the_same_in_every_fleet() {
    let [small, large] = SIZES;
    let (small, large) = (costs(Place::Memory, small).await, costs(Place::Memory, large).await);
    for operation in Operation::ALL.into_iter().filter(|operation| operation.controls()) {
        let writes = |costs: &BTreeMap<Operation, Units>| Units { reads: 0.0, ..costs[&operation] };
        assert_eq!(writes(&small), writes(&large), "{}", operation.name());
        assert!(large[&operation].writes > 0.0, "{}", operation.name());
    }
}

#[tokio::test]
async fn a_settled_poll_is_half_a_read_and_no_write() {
    for size in SIZES {
        let settled = costs(Place::Memory, size).await[&Operation::SettledPoll];
        assert_eq!(settled, Units { reads: 0.5, writes: 0.0 }, "{size} devices");
    }
}

#[tokio::test]
async fn a_healthy_device_stays_within_its_budgets() {
    let whole = rollout(Place::Memory, WHOLE).await;
    assert!(whole.write_units_per_device() <= WRITE_UNITS_PER_DEVICE, "{:#?}", whole.parts);
    assert!(whole.requests_per_device() <= REQUESTS_PER_DEVICE, "{}", whole.requests_per_device());
    let largest = whole.largest;
    for (item, bytes) in [("device", largest.device), ("rollout", largest.rollout), ("row", largest.row)] {
        assert!((1..=ITEM_BYTES).contains(&bytes), "{item}: {bytes} bytes");
    }
}

#[tokio::test]
async fn dynamodb_comes_to_the_same_operations() {
    let [small, _] = SIZES;
    assert_eq!(costs(Place::DynamoDb, small).await, costs(Place::Memory, small).await);
}

#[tokio::test]
async fn dynamodb_comes_to_the_same_rollout() {
    assert_eq!(rollout(Place::DynamoDb, 40).await, rollout(Place::Memory, 40).await);
}
