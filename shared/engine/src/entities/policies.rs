//! Policies.

use serde_json::Value;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::Repository;
use tidegate_domain::policy::{ImagePattern, Policy, WrittenPolicy};

use super::{codec, policy_names};
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Item, Key, Store, Table, Write};

/// The key of a policy.
pub fn key(policy: &PolicyId) -> Key {
    Key::simple(Table::Policies, policy.as_str())
}

/// Reads a policy; consistent.
pub async fn get(store: &dyn Store, policy: &PolicyId) -> Result<Option<WrittenPolicy>, EngineError> {
    store.get(&key(policy), Freshness::Consistent).await?.map(parse).transpose()
}

/// Reads a policy's item. Older versions stored policies with everything filled in.
pub fn parse(item: Item) -> Result<WrittenPolicy, EngineError> {
    if item.contains_key("written") {
        return codec::read(Table::Policies, item);
    }
    codec::read::<Policy>(Table::Policies, item).map(|filled| WrittenPolicy::from(&filled))
}

/// Every policy, by name; eventual. Policies are written by people, so there are few of them.
pub async fn all(store: &dyn Store) -> Result<Vec<WrittenPolicy>, EngineError> {
    those(store, &|_| true).await
}

/// The policies whose patterns are about one of these repositories, by name; eventual. The others are not even read as
/// policies: there can be a thousand of them.
pub async fn about(store: &dyn Store, repositories: &[&Repository]) -> Result<Vec<WrittenPolicy>, EngineError> {
    let about = |item: &Item| {
        let pattern = item.get("image_pattern").and_then(Value::as_str).map(ImagePattern::parse);
        // What cannot be read is left to the reading of it, which says so.
        let Some(Ok(pattern)) = pattern else { return true };
        repositories.iter().any(|repository| pattern.matches_repository(repository))
    };
    those(store, &about).await
}

async fn those(
    store: &dyn Store,
    wanted: &(dyn Fn(&Item) -> bool + Send + Sync),
) -> Result<Vec<WrittenPolicy>, EngineError> {
    let (mut policies, mut after) = (Vec::new(), None);
    loop {
        let page = store.scan(Table::Policies, after.as_deref(), None).await?;
        let items = page.items.into_iter().filter(|item| !policy_names::is_name(item) && wanted(item));
        policies.extend(items.map(parse).collect::<Result<Vec<_>, _>>()?);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    policies.sort_by(|a: &WrittenPolicy, b: &WrittenPolicy| a.name.cmp(&b.name));
    Ok(policies)
}

/// Stores a new policy; refused where one has its id.
pub fn create(policy: &WrittenPolicy) -> Write {
    Write::Put { table: Table::Policies, item: codec::write(policy, []), condition: Condition::Absent }
}

/// Stores a policy's next revision; refused where the stored one is not the one before it.
pub fn save(policy: &WrittenPolicy) -> Write {
    let read = policy.revision - 1;
    Write::Put {
        table: Table::Policies,
        item: codec::write(policy, []),
        condition: Condition::Equals("revision", read.into()),
    }
}

/// Removes a policy; refused where the stored one is another revision.
pub fn delete(policy: &WrittenPolicy) -> Write {
    Write::Delete { key: key(&policy.id), condition: Condition::Equals("revision", policy.revision.into()) }
}
