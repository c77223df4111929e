//! What every store must do, as cases that run against any of them: the memory store, DynamoDB-compatible databases,
//! the emulator. A case panics where the store departs.
//!
//! Cases share a database: each keeps to keys that begin with the `scope` it is given.

mod conditions;
mod indexes;
mod items;
mod pages;
pub mod prices;
mod transactions;
mod updates;

use std::pin::Pin;

use tidegate_engine::ports::{Condition, Item, Key, Store, StoreError, Table, Write, WriteError};

type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One case.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    run: for<'a> fn(&'a dyn Store, &'a str) -> Running<'a>,
}

impl Case {
    /// Runs it; panics where the store does otherwise.
    pub async fn run(&self, store: &dyn Store, scope: &str) {
        (self.run)(store, &format!("{scope}-{}", self.name)).await;
    }
}

macro_rules! cases {
    ($($module:ident::$name:ident),+ $(,)?) => {
        /// Every case.
        pub const CASES: &[Case] =
            &[$(Case { name: stringify!($name), run: |store, scope| Box::pin($module::$name(store, scope)) }),+];
    };
}

cases![
    conditions::each_condition_decides,
    conditions::a_refused_write_changes_nothing,
    conditions::many_alternatives_are_one_condition,
    items::an_item_comes_back_as_it_was,
    items::several_items_come_in_the_order_of_their_keys,
    items::what_is_not_there_is_none,
    items::incomplete_keys_are_rejected,
    items::a_put_replaces_the_whole_item,
    items::names_are_never_empty,
    items::no_writes_are_no_call,
    updates::an_update_creates_the_item,
    updates::an_update_sets_adds_and_removes,
    updates::wrong_updates_are_rejected,
    transactions::one_refusal_stops_all,
    transactions::the_first_refusal_is_named,
    transactions::all_kinds_of_writes_go_together,
    transactions::a_transaction_has_limits,
    pages::a_partition_is_in_order,
    pages::pages_continue_where_they_ended,
    pages::what_a_query_selects_is_counted,
    pages::a_prefix_selects,
    pages::other_partitions_stay_out,
    pages::a_scan_sees_every_item,
    indexes::an_index_holds_only_what_has_its_key,
    indexes::an_index_is_read_in_pages,
];

/// An item of a table, with attributes beside its key.
fn item(key: &Key, more: &[(&str, serde_json::Value)]) -> Item {
    let (pk, sk) = key.table.key_attributes();
    let mut item = Item::from_iter([(pk.to_owned(), key.pk.as_str().into())]);
    item.extend(sk.zip(key.sk.as_deref()).map(|(name, value)| (name.to_owned(), value.into())));
    item.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    item
}

fn put(item: Item, table: Table) -> Write {
    Write::Put { table, item, condition: Condition::Always }
}

async fn put_all(store: &dyn Store, writes: Vec<Write>) {
    for write in writes {
        store.write(&[write]).await.expect("an unconditional write is made");
    }
}

fn assert_rejected(label: &str, result: &Result<(), WriteError>) {
    assert!(matches!(result, Err(WriteError::Store(StoreError::Rejected(_)))), "{label}: {result:?}");
}
