//! A live rollout's details are written once more, as they are; a device that comes back long after its rollout was over
//! makes no second row.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tidegate_domain::assignment::{Assignment, Progress};
use tidegate_domain::counts::Class;
use tidegate_domain::device::Device;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::journal::Page;
use tidegate_domain::row::Row;
use tidegate_engine::entities::events::{self, Event};
use tidegate_engine::entities::plans::{self, Order};
use tidegate_engine::entities::{journal, rows};
use tidegate_engine::ports::{Item, Job, Ports, Table, Write};
use tidegate_engine::{keep, record};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;

const DETAILS: [Table; 4] = [Table::DeviceRollouts, Table::RolloutJournal, Table::Events, Table::Rollouts];

fn world() -> (MemoryPorts, Ports) {
    let memory = MemoryPorts::default();
    let ports = memory.ports(Arc::new(SeededEntropy::new(5)));
    (memory, ports)
}

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn id() -> RolloutId {
    RolloutId::parse("01JD000000000000000000000A").unwrap()
}

fn device(n: u128) -> DeviceUuid {
    DeviceUuid(uuid::Uuid::from_u128(n << 64 | n.wrapping_mul(0x9E37_79B9_7F4A_7C15) << 100))
}

fn stored(memory: &MemoryPorts) -> BTreeMap<Table, Vec<Arc<Item>>> {
    DETAILS.into_iter().map(|table| (table, memory.store.peek_all(table))).collect()
}

fn written(memory: &MemoryPorts) -> BTreeMap<Table, u32> {
    DETAILS.into_iter().map(|table| (table, memory.store.meter().of(table).writes as u32)).collect()
}

#[tokio::test]
async fn every_detail_is_written_once_more_as_it_is() {
    let (memory, ports) = world();
    let devices: Vec<DeviceUuid> = (1..=20).map(device).collect();
    let order = Order { hash: "abc".to_owned(), total: 20 };
    let row =
        |device: &DeviceUuid| rows::create(&Row::planned(id(), *device, (0, 1), (Class::Pending, None), None, now()));
    let event = |n: u32| events::put(&Event::of_rollout(&id(), "image.update_available", now(), &n.to_string()));
    let mut writes: Vec<Write> = devices.iter().map(row).collect();
    writes.extend((1..=3).map(|number| journal::append(&id(), number, &Page::default())));
    writes.extend([journal::mark(&id(), 0, &Page::default()), plans::put_order(&id(), &order)]);
    writes.push(plans::put_page(&id(), &order.hash, 0, &devices));
    writes.extend((0..5).map(event));
    for write in writes {
        ports.store.write(&[write]).await.unwrap();
    }
    let (before, written_before) = (stored(&memory), written(&memory));

    for job in keep::jobs(&id()) {
        let Job::Keep { rollout_id, part, after } = job else { panic!("{job:?}") };
        keep::keep(&ports, &rollout_id, part, after.as_deref()).await.unwrap();
    }
    assert_eq!(stored(&memory), before, "nothing changed");
    let more: Vec<u32> = DETAILS.iter().map(|table| written(&memory)[table] - written_before[table]).collect();
    assert_eq!(more, [20, 4, 5, 1], "rows, the journal with its mark, events, and the plan's page");
}

#[tokio::test]
async fn who_comes_back_from_a_drawer_makes_no_second_row() {
    let (memory, ports) = world();
    let ended = now();
    let rollout = json!({
        "rollout_id": id().as_str(), "repository": "docker.io/acme/app", "policy_id": "01P", "policy": "p",
        "generation": 1, "revision": 3, "status": "completed", "target": {"t": "v1"}, "strategy": "auto",
        "triggered_by": "webhook", "created_at": ended.as_millisecond(), "completed_at": ended.as_millisecond(),
    });
    let item: Item = rollout.as_object().unwrap().clone();
    let put = Write::Put { table: Table::Rollouts, item, condition: tidegate_engine::ports::Condition::Always };
    ports.store.write(&[put]).await.unwrap();
    let place = Assignment { progress: Progress::Healthy, ..Assignment::new(id(), 1, 0, 1) };
    for (days, rows) in [(500, 0), (1, 1)] {
        let at = ended.checked_add(SignedDuration::from_hours(24 * days)).unwrap();
        let told = json!({
            "device_uuid": device(1).to_string(), "rev": 9, "fleet": "f", "tok": "h", "enr": ended.as_millisecond(),
            "seen": at.as_millisecond(),
        });
        let mut image: Device = serde_json::from_value(told).unwrap();
        image.log = vec![place.log(at)];
        record::record(&ports, &[image], at).await.unwrap();
        assert_eq!(memory.store.peek_all(Table::DeviceRollouts).len(), rows, "{days} days after its end");
    }
}
