//! What a task is about to ask of the world.

use std::fmt;

use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::ImageRef;
use tidegate_engine::ports::{Freshness, Job, Key, Query, Source, Table, Write};

/// Which port a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// The tables.
    Store,
    /// The queues.
    Queues,
    /// Later wake-ups.
    Scheduler,
    /// The bus.
    Bus,
    /// Registries.
    Registry,
}

/// What one write of a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Replaces an item.
    Put,
    /// Changes attributes.
    Update,
    /// Removes an item.
    Delete,
    /// Looks only.
    Check,
}

/// One port call, told well enough for a story and for a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Read of one item.
    Get {
        /// Which.
        key: Key,
        /// How fresh.
        freshness: Freshness,
    },
    /// Read of a partition.
    Query(Query),
    /// Read of a table.
    Scan {
        /// Which.
        table: Table,
    },
    /// One write or one transaction; a put whose item lacks its key has none here.
    Write {
        /// What it does where.
        writes: Vec<(Verb, Option<Key>)>,
    },
    /// Messages to the queues.
    Send {
        /// Which.
        jobs: Vec<Job>,
        /// Delay in seconds.
        delay_seconds: u32,
    },
    /// A later wake-up.
    StepAt {
        /// Of which rollout.
        rollout_id: RolloutId,
        /// When.
        at: Timestamp,
    },
    /// Events to the bus.
    Publish {
        /// Their names.
        names: Vec<String>,
    },
    /// A question to a registry.
    Resolve {
        /// About which reference.
        image: ImageRef,
    },
}

impl Call {
    /// The call of these writes.
    pub(super) fn of_writes(writes: &[Write]) -> Self {
        let told = |write: &Write| match write {
            Write::Put { table, item, .. } => (Verb::Put, Key::of(*table, item)),
            Write::Update { key, .. } => (Verb::Update, Some(key.clone())),
            Write::Delete { key, .. } => (Verb::Delete, Some(key.clone())),
            Write::Check { key, .. } => (Verb::Check, Some(key.clone())),
        };
        Self::Write { writes: writes.iter().map(told).collect() }
    }

    /// Where it goes.
    pub const fn port(&self) -> Port {
        match self {
            Self::Get { .. } | Self::Query(_) | Self::Scan { .. } | Self::Write { .. } => Port::Store,
            Self::Send { .. } => Port::Queues,
            Self::StepAt { .. } => Port::Scheduler,
            Self::Publish { .. } => Port::Bus,
            Self::Resolve { .. } => Port::Registry,
        }
    }

    /// Whether it changes the world, so that it can fail after its effect.
    pub const fn has_effect(&self) -> bool {
        match self {
            Self::Get { .. } | Self::Query(_) | Self::Scan { .. } | Self::Resolve { .. } => false,
            Self::Write { .. } | Self::Send { .. } | Self::StepAt { .. } | Self::Publish { .. } => true,
        }
    }

    /// Whether it may see old versions.
    pub const fn may_be_stale(&self) -> bool {
        match self {
            Self::Get { freshness, .. } => matches!(freshness, Freshness::Eventual),
            Self::Query(query) => {
                matches!(query.source, Source::Index(_)) || matches!(query.freshness, Freshness::Eventual)
            }
            Self::Scan { .. } => true,
            Self::Write { .. }
            | Self::Send { .. }
            | Self::StepAt { .. }
            | Self::Publish { .. }
            | Self::Resolve { .. } => false,
        }
    }

    /// Whether its answer comes in pages.
    pub const fn is_paged(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Scan { .. })
    }

    /// Whether it has several effects that do not happen as one.
    pub fn is_divisible(&self) -> bool {
        match self {
            Self::Send { jobs, .. } => jobs.len() > 1,
            Self::Publish { names } => names.len() > 1,
            Self::Get { .. }
            | Self::Query(_)
            | Self::Scan { .. }
            | Self::Write { .. }
            | Self::StepAt { .. }
            | Self::Resolve { .. } => false,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get { key, freshness: Freshness::Consistent } => write!(f, "get {key}"),
            Self::Get { key, freshness: Freshness::Eventual } => write!(f, "get {key} eventually"),
            Self::Query(query) => {
                let source = match query.source {
                    Source::Table(table) => table.name(),
                    Source::Index(index) => index.name(),
                };
                write!(f, "query {source}/{}", query.pk)?;
                query.prefix.iter().try_for_each(|prefix| write!(f, "/{prefix}…"))?;
                query.after.iter().try_for_each(|after| write!(f, " after {after}"))
            }
            Self::Scan { table } => write!(f, "scan {}", table.name()),
            Self::Write { writes } => {
                for (i, (verb, key)) in writes.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { " + " })?;
                    write!(f, "{}", format!("{verb:?}").to_lowercase())?;
                    key.iter().try_for_each(|key| write!(f, " {key}"))?;
                }
                Ok(())
            }
            Self::Send { jobs, delay_seconds } => write!(f, "send {jobs:?} in {delay_seconds} s"),
            Self::StepAt { rollout_id, at } => write!(f, "wake {rollout_id} at {at}"),
            Self::Publish { names } => write!(f, "publish {}", names.join(", ")),
            Self::Resolve { image } => write!(f, "resolve {image}"),
        }
    }
}
