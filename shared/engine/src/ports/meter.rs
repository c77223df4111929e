//! What the store's calls cost, as every store adapter counts it.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign, Sub};
use std::sync::{Mutex, PoisonError};

use super::Table;

/// Capacity units, as DynamoDB bills them: a read unit is 4 KB read consistently, a write unit 1 KB written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Units {
    /// Read units; an eventually consistent read of up to 4 KB is half of one.
    pub reads: f64,
    /// Write units, those of secondary indexes included; in a transaction a table's own count twice.
    pub writes: f64,
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { reads: self.reads + other.reads, writes: self.writes + other.writes }
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Units {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { reads: self.reads - other.reads, writes: self.writes - other.writes }
    }
}

/// Adds up what the calls of one store cost, by table. Only ever grows: take the difference of two readings.
#[derive(Debug, Default)]
pub struct Meter {
    by_table: Mutex<[Units; Table::ALL.len()]>,
}

impl Meter {
    /// Counts read units.
    pub fn read(&self, table: Table, units: f64) {
        self.count(table, Units { reads: units, writes: 0.0 });
    }

    /// Counts write units.
    pub fn write(&self, table: Table, units: f64) {
        self.count(table, Units { reads: 0.0, writes: units });
    }

    /// What calls to this table have cost.
    pub fn of(&self, table: Table) -> Units {
        self.all()[table as usize]
    }

    /// What all calls have cost.
    pub fn total(&self) -> Units {
        self.all().into_iter().fold(Units::default(), Add::add)
    }

    /// What calls have cost, for every table that was touched.
    pub fn by_table(&self) -> BTreeMap<Table, Units> {
        let units = self.all();
        Table::ALL
            .into_iter()
            .map(|table| (table, units[table as usize]))
            .filter(|(_, u)| *u != Units::default())
            .collect()
    }

    fn count(&self, table: Table, units: Units) {
        self.by_table.lock().unwrap_or_else(PoisonError::into_inner)[table as usize] += units;
    }

    fn all(&self) -> [Units; Table::ALL.len()] {
        *self.by_table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_add_up_and_differ() {
        let meter = Meter::default();
        meter.read(Table::Devices, 0.5);
        let before = meter.total();
        meter.write(Table::Devices, 2.0);
        meter.write(Table::Rollouts, 1.0);
        assert_eq!(meter.total() - before, Units { reads: 0.0, writes: 3.0 });
        assert_eq!(meter.of(Table::Devices), Units { reads: 0.5, writes: 2.0 });
        assert_eq!(meter.by_table().len(), 2);
    }
}
