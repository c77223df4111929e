//! What a write makes of the item that is there, and which writes no store accepts.

use std::sync::Arc;

use serde_json::Value;
use tidegate_engine::ports::{Index, Item, Key, Table, Write};

use super::capacity::item_bytes;
use super::state::Stored;

/// Longest keys in bytes: DynamoDB's limits.
const PARTITION_KEY_MAX_BYTES: usize = 2048;
const SORT_KEY_MAX_BYTES: usize = 1024;

/// Largest item in bytes: DynamoDB's limit of 400 KB.
const ITEM_MAX_BYTES: usize = 400 * 1024;

/// Why a write can never succeed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadWrite {
    #[error("a transaction has at most 100 writes, this one has {0}")]
    TooMany(usize),
    #[error("a transaction writes at most 4 MB, this one {0} bytes")]
    TooLarge(usize),
    #[error("{0} occurs twice in one transaction")]
    Twice(String),
    #[error("an item of {0} lacks a key attribute, or has an empty one")]
    Key(&'static str),
    #[error("a key of {0} has more than 2,048 bytes, or a sort key more than 1,024")]
    KeySize(&'static str),
    #[error("{0} changes nothing")]
    Nothing(String),
    #[error("the update of {key} names {attribute} twice")]
    Overlap { key: String, attribute: &'static str },
    #[error("the update of {key} changes the key attribute {attribute}")]
    KeyChange { key: String, attribute: &'static str },
    #[error("{key}: {attribute} is no number to add to")]
    NotANumber { key: String, attribute: &'static str },
    #[error("{key}: {attribute} is the key of an index and must be a text that is not empty")]
    IndexKey { key: String, attribute: &'static str },
    #[error("{0} has an attribute, or an entry of a map, without a name")]
    EmptyName(String),
    #[error("{key} would have {bytes} bytes, the limit is 400 KB")]
    ItemSize { key: String, bytes: usize },
}

/// The key that a write is about; checks what needs no look at the item.
pub(super) fn key_of(write: &Write) -> Result<Key, BadWrite> {
    let key = match write {
        Write::Put { table, item, .. } => Key::of(*table, item).ok_or(BadWrite::Key(table.name()))?,
        Write::Update { key, set, add, remove, .. } => {
            check_update(key, set, add, remove)?;
            key.clone()
        }
        Write::Delete { key, .. } | Write::Check { key, .. } => key.clone(),
    };
    check_key(&key)?;
    Ok(key)
}

/// A key has a sort key exactly where the table does, and no part that is empty or too long.
pub(super) fn check_key(key: &Key) -> Result<(), BadWrite> {
    let (_, sk) = key.table.key_attributes();
    let complete = sk.is_some() == key.sk.is_some() && !key.pk.is_empty() && key.sk.as_deref() != Some("");
    if !complete {
        return Err(BadWrite::Key(key.table.name()));
    }
    let fits =
        key.pk.len() <= PARTITION_KEY_MAX_BYTES && key.sk.as_ref().is_none_or(|sk| sk.len() <= SORT_KEY_MAX_BYTES);
    if fits { Ok(()) } else { Err(BadWrite::KeySize(key.table.name())) }
}

fn check_update(
    key: &Key,
    set: &[(&'static str, Value)],
    add: &[(&'static str, i64)],
    remove: &[&'static str],
) -> Result<(), BadWrite> {
    let (pk, sk) = key.table.key_attributes();
    let names =
        || set.iter().map(|(name, _)| *name).chain(add.iter().map(|(name, _)| *name)).chain(remove.iter().copied());
    if names().next().is_none() {
        return Err(BadWrite::Nothing(key.to_string()));
    }
    for (i, attribute) in names().enumerate() {
        if attribute == pk || Some(attribute) == sk {
            return Err(BadWrite::KeyChange { key: key.to_string(), attribute });
        }
        if names().skip(i + 1).any(|other| other == attribute) {
            return Err(BadWrite::Overlap { key: key.to_string(), attribute });
        }
    }
    Ok(())
}

/// What a write leaves behind.
#[derive(Debug)]
pub(super) enum After {
    /// What was there.
    Same,
    /// This item.
    Stored(Stored),
    /// No item.
    Gone,
}

impl After {
    /// The size of the item that the write makes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Stored(stored) => stored.bytes,
            Self::Same | Self::Gone => 0,
        }
    }
}

/// What the write makes of the item that is there.
pub(super) fn after(write: &Write, key: &Key, old: Option<&Item>) -> Result<After, BadWrite> {
    let item = match write {
        Write::Put { item, .. } => item.clone(),
        Write::Update { set, add, remove, .. } => {
            let mut item = old.cloned().unwrap_or_else(|| key_attributes(key));
            for (name, value) in set {
                item.insert((*name).to_owned(), value.clone());
            }
            for &(name, amount) in add {
                let sum = match item.get(name) {
                    None => amount,
                    Some(value) => value
                        .as_i64()
                        .and_then(|value| value.checked_add(amount))
                        .ok_or_else(|| BadWrite::NotANumber { key: key.to_string(), attribute: name })?,
                };
                item.insert(name.to_owned(), sum.into());
            }
            for name in remove {
                item.remove(*name);
            }
            item
        }
        Write::Delete { .. } => return Ok(After::Gone),
        Write::Check { .. } => return Ok(After::Same),
    };
    let bytes = checked_bytes(key, &item)?;
    Ok(After::Stored(Stored { item: Arc::new(item), bytes }))
}

/// The size of an item that may be stored.
fn checked_bytes(key: &Key, item: &Item) -> Result<usize, BadWrite> {
    for attribute in index_attributes(key.table) {
        let fits = item.get(attribute).is_none_or(|value| value.as_str().is_some_and(|text| !text.is_empty()));
        if !fits {
            return Err(BadWrite::IndexKey { key: key.to_string(), attribute });
        }
    }
    if item.iter().any(|(name, value)| name.is_empty() || has_empty_name(value)) {
        return Err(BadWrite::EmptyName(key.to_string()));
    }
    let bytes = item_bytes(item);
    if bytes > ITEM_MAX_BYTES {
        return Err(BadWrite::ItemSize { key: key.to_string(), bytes });
    }
    Ok(bytes)
}

fn has_empty_name(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        Value::Array(values) => values.iter().any(has_empty_name),
        Value::Object(entries) => entries.iter().any(|(name, value)| name.is_empty() || has_empty_name(value)),
    }
}

fn index_attributes(table: Table) -> impl Iterator<Item = &'static str> {
    Index::ALL.into_iter().filter(move |index| index.table() == table).flat_map(|index| {
        let (pk, sk) = index.key_attributes();
        [pk, sk]
    })
}

fn key_attributes(key: &Key) -> Item {
    let (pk, sk) = key.table.key_attributes();
    let mut item = Item::new();
    item.insert(pk.to_owned(), key.pk.clone().into());
    if let Some((name, value)) = sk.zip(key.sk.clone()) {
        item.insert(name.to_owned(), value.into());
    }
    item
}
