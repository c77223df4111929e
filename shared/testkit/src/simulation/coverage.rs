//! What the runs met, so that a quiet generator shows.

use std::collections::BTreeMap;

/// How often each thing occurred, and in how many seeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<String, (u64, u64)>,
}

impl Coverage {
    /// It occurred once more in this seed.
    pub fn met(&mut self, what: impl Into<String>) {
        let entry = self.counts.entry(what.into()).or_insert((0, 1));
        entry.0 += 1;
    }

    /// Adds another seed's.
    pub fn merge(&mut self, other: &Self) {
        for (what, (times, seeds)) in &other.counts {
            let entry = self.counts.entry(what.clone()).or_insert((0, 0));
            entry.0 += times;
            entry.1 += seeds;
        }
    }

    /// What occurred: name, times, seeds.
    pub fn rows(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.counts.iter().map(|(what, (times, seeds))| (what.as_str(), *times, *seeds))
    }

    /// How often it occurred.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).map_or(0, |(times, _)| *times)
    }
}
