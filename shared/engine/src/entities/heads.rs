//! Heads, and the generation counter of a repository.

use serde_json::Value;
use tidegate_domain::head::{Head, KeptOut};
use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::{Digest, Repository};

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Key, Query, Store, Table, Write};

const PREFIX: &str = "policy#";

fn sort(policy: &PolicyId) -> String {
    format!("{PREFIX}{policy}")
}

/// The key of a head.
pub fn key(repository: &Repository, policy: &PolicyId) -> Key {
    Key::composite(Table::Images, repository.as_str(), sort(policy))
}

/// Reads a head; a new one where none is stored. Always consistent.
pub async fn get(store: &dyn Store, repository: &Repository, policy: &PolicyId) -> Result<Head, EngineError> {
    match store.get(&key(repository, policy), Freshness::Consistent).await? {
        Some(item) => codec::read(Table::Images, item),
        None => Ok(Head::new(repository.clone(), policy.clone())),
    }
}

/// Every head of a repository.
pub async fn of_repository(store: &dyn Store, repository: &Repository) -> Result<Vec<Head>, EngineError> {
    let mut query = Query { prefix: Some(PREFIX.to_owned()), ..Query::partition(Table::Images, repository.as_str()) };
    let mut heads = Vec::new();
    loop {
        let page = store.query(&query).await?;
        for item in page.items {
            heads.push(codec::read(Table::Images, item)?);
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(heads),
        }
    }
}

/// The policies of a repository that keep this digest out.
pub async fn keeping_out(
    store: &dyn Store,
    repository: &Repository,
    digest: Option<&Digest>,
) -> Result<Vec<KeptOut>, EngineError> {
    let Some(digest) = digest else { return Ok(Vec::new()) };
    let heads = of_repository(store, repository).await?;
    Ok(heads.iter().filter_map(|head| head.keeps_out(digest)).collect())
}

/// Stores the head's next revision, on the condition that the stored one is still the one that was read.
pub fn save(head: &Head) -> Write {
    let next = Head { revision: head.revision + 1, ..head.clone() };
    let condition = match head.revision {
        0 => Condition::Absent,
        read => Condition::Equals("revision", read.into()),
    };
    let item = codec::write(&next, [("item", sort(&head.policy_id).into())]);
    Write::Put { table: Table::Images, item, condition }
}

fn counter(repository: &Repository) -> Key {
    Key::composite(Table::Images, repository.as_str(), "counter")
}

/// The repository's last generation.
pub async fn generation(store: &dyn Store, repository: &Repository) -> Result<u64, EngineError> {
    let item = store.get(&counter(repository), Freshness::Consistent).await?;
    Ok(item.and_then(|item| item.get("generation").and_then(Value::as_u64)).unwrap_or(0))
}

/// Takes the generation after `last`; refused where somebody else took it.
pub fn take_generation(repository: &Repository, last: u64) -> Write {
    take_generations(repository, last, 1)
}

/// Takes so many generations after `last`; refused where somebody else took one.
pub fn take_generations(repository: &Repository, last: u64, so_many: u64) -> Write {
    let condition = match last {
        0 => Condition::Absent,
        last => Condition::Equals("generation", last.into()),
    };
    Write::Update {
        key: counter(repository),
        set: vec![("generation", (last + so_many).into())],
        add: Vec::new(),
        remove: Vec::new(),
        condition,
    }
}
