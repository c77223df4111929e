//! The tables' streams and their consumers: the recorder, and the publisher.

use std::collections::VecDeque;

use rand::Rng;
use tidegate_engine::entities::{devices, events, rows};
use tidegate_engine::ports::{BusEntry, Table};
use tidegate_engine::{publish, record};

use super::{Event, Owner, Stage, Value, WORKER_TIMEOUT};
use crate::memory::StreamRecord;

/// One shard of the devices' stream: in order, each batch until it succeeds.
#[derive(Default)]
pub(super) struct Shard {
    pub records: VecDeque<StreamRecord>,
    pub running: bool,
}

impl Stage {
    pub(super) fn take_stream(&mut self) {
        for record in self.memory.store.take_stream() {
            if record.table == Table::Devices {
                if let Some(device) = record.new.as_ref().and_then(|item| devices::parse((**item).clone()).ok()) {
                    let old = record.old.as_ref().and_then(|item| devices::parse((**item).clone()).ok());
                    self.oracle.device_written(old.as_ref(), &device, self.now);
                }
                let shard = record.key.pk.bytes().map(usize::from).sum::<usize>() % self.shards.len();
                self.shards[shard].records.push_back(record);
                if self.shards[shard].records.len() == 1 {
                    let delay = self.rng.random_range(50..1_500);
                    self.after(delay, Event::Pump(shard));
                }
            } else {
                self.outbox.push_back(record);
                if !self.publishing && self.outbox.len() == 1 {
                    self.after(500, Event::Pump(usize::MAX));
                }
            }
        }
    }

    pub(super) fn pump(&mut self, shard: usize) {
        if shard == usize::MAX {
            return self.publish();
        }
        let stream = &mut self.shards[shard];
        if stream.running || stream.records.is_empty() {
            return;
        }
        stream.running = true;
        let upto = stream.records.len().min(self.rng.random_range(1..30));
        let images: Vec<_> = stream
            .records
            .iter()
            .take(upto)
            .filter_map(|record| devices::parse((**record.new.as_ref()?).clone()).ok())
            .collect();
        let (ports, now) = (self.ports.clone(), self.time());
        self.spawn(Owner::Stream { shard, upto }, WORKER_TIMEOUT, async move {
            Value::Done(record::record(&ports, &images, now).await)
        });
    }

    fn publish(&mut self) {
        if self.publishing || self.outbox.is_empty() {
            return;
        }
        self.publishing = true;
        let upto = self.outbox.len().min(50);
        let mut entries: Vec<BusEntry> = Vec::new();
        for record in self.outbox.iter().take(upto) {
            let Some(new) = record.new.as_ref() else { continue };
            if record.table == Table::Events {
                entries.extend(events::parse((**new).clone()).ok().map(|event| publish::of_event(&event)));
            } else if let Ok(row) = rows::parse((**new).clone()) {
                let old = record.old.as_ref().and_then(|old| rows::parse((**old).clone()).ok());
                entries.extend(publish::of_row(old.as_ref(), &row));
            }
        }
        let ports = self.ports.clone();
        self.spawn(Owner::Publisher { upto }, WORKER_TIMEOUT, async move {
            Value::Done(publish::publish(&ports, &entries).await)
        });
    }
}
