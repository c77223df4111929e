//! The store on DynamoDB.

mod attempts;
mod direct;
mod expression;
mod failure;
mod item;
mod prepared;
mod range;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity, Select};
use tidegate_engine::entities::retention::{self, EXPIRES_AT};
use tidegate_engine::ports::{
    Freshness, Item, Key, Meter, Page, Query, Source, Store, StoreError, Table, Write, WriteError,
};

use self::attempts::Attempts;
use self::direct::{Direct, Found};
use self::expression::Placeholders;
use self::failure::{rejected, store_error, transaction_error, write_error};
use self::item::{ItemError, from_attributes, key_attributes};
use self::prepared::{Action, Prepared};
use self::range::Range;
use crate::clock;
use crate::sdk::Sdk;
use crate::tables::TableNames;

/// The tables of one stack.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    direct: Option<Arc<Direct>>,
    names: TableNames,
    meter: Arc<Meter>,
    retention_days: Option<u32>,
}

impl DynamoStore {
    /// Nothing is sent before the first call.
    pub fn new(sdk: &Sdk, names: TableNames) -> Self {
        let direct = Direct::new(sdk).map(Arc::new);
        Self { client: Client::new(&sdk.config), direct, names, meter: Arc::default(), retention_days: None }
    }

    /// Details of rollouts that are written expire, see `tidegate_engine::entities::retention`.
    #[must_use]
    pub fn with_retention(self, days: u32) -> Self {
        Self { retention_days: Some(days), ..self }
    }

    /// The write, with the time that its item expires.
    fn expiring<'a>(&self, write: &'a Write) -> Cow<'a, Write> {
        match (self.retention_days, write) {
            (Some(days), Write::Put { table, item, condition }) if retention::expires(*table, item) => {
                let mut item = item.clone();
                item.insert(EXPIRES_AT.to_owned(), retention::expires_at(days, clock::now()).into());
                Cow::Owned(Write::Put { table: *table, item, condition: condition.clone() })
            }
            _ => Cow::Borrowed(write),
        }
    }

    /// What the calls have cost, as DynamoDB reported it. It reports nothing for a refused write: those are counted
    /// as the least that they can have cost, one unit for each item, two in a transaction.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    fn count_read(&self, table: Table, capacity: Option<&ConsumedCapacity>) {
        self.meter.read(table, capacity.and_then(ConsumedCapacity::capacity_units).unwrap_or(0.0));
    }

    fn count_write(&self, table: Table, capacity: Option<&ConsumedCapacity>) {
        self.meter.write(table, capacity.and_then(ConsumedCapacity::capacity_units).unwrap_or(0.0));
    }

    fn count_refusal(&self, writes: &[Write], error: &WriteError, units: f64) {
        if matches!(error, WriteError::Refused(_)) {
            for write in writes {
                self.meter.write(write.table(), units);
            }
        }
    }

    /// The call of a query; none where it can select nothing.
    fn select(&self, query: &Query) -> Option<Selection> {
        let (table, index, pk_name, sk_name) = match query.source {
            Source::Table(table) => {
                let (pk, sk) = table.key_attributes();
                (table, None, pk, sk)
            }
            Source::Index(index) => {
                let (pk, sk) = index.key_attributes();
                (index.table(), Some(index.name()), pk, Some(sk))
            }
        };
        let mut placeholders = Placeholders::default();
        let pk = placeholders.name(pk_name);
        let pk_value = placeholders.value(AttributeValue::S(query.pk.clone()));
        let mut selected = format!("{pk} = {pk_value}");
        let mut start = None;
        if let Some(sk_name) = sk_name {
            let range = Range::of(query)?;
            if let Some(condition) = range.condition(sk_name, &mut placeholders) {
                selected.push_str(" AND ");
                selected.push_str(&condition);
            }
            start = range.start().map(|after| {
                HashMap::from([
                    (pk_name.to_owned(), AttributeValue::S(query.pk.clone())),
                    (sk_name.to_owned(), AttributeValue::S(after.to_owned())),
                ])
            });
        }
        let call = self.client.query().table_name(self.names.physical(table)).set_index_name(index.map(str::to_owned));
        let call = call.key_condition_expression(selected).scan_index_forward(!query.descending);
        let call = call.set_expression_attribute_names(placeholders.take_names());
        let call = call.set_expression_attribute_values(placeholders.take_values()).set_exclusive_start_key(start);
        let consistent = index.is_none() && query.freshness == Freshness::Consistent;
        let call = call.consistent_read(consistent).set_limit(query.limit.map(u32::cast_signed));
        let call = call.return_consumed_capacity(ReturnConsumedCapacity::Total);
        Some(Selection { table, order_by: sk_name.unwrap_or(pk_name), call })
    }

    /// Reads at most a hundred items in one call, and again those that it left out.
    async fn get_batch(
        &self,
        keys: &[&Key],
        freshness: Freshness,
        found: &mut HashMap<Key, Item>,
    ) -> Result<(), StoreError> {
        let mut asked: HashMap<String, KeysAndAttributes> = HashMap::new();
        for table in keys.iter().map(|key| key.table).collect::<BTreeSet<_>>() {
            let of_table = keys.iter().filter(|key| key.table == table);
            let of_table: Vec<_> =
                of_table.map(|key| key_attributes(key)).collect::<Result<_, _>>().map_err(rejected)?;
            let of_table = KeysAndAttributes::builder()
                .set_keys(Some(of_table))
                .consistent_read(freshness == Freshness::Consistent)
                .build();
            asked.insert(
                self.names.physical(table).to_owned(),
                of_table.map_err(|error| rejected(ItemError::from(error)))?,
            );
        }
        for _ in 0..BATCH_TRIES {
            let call = self.client.batch_get_item().set_request_items(Some(asked));
            let call = call.return_consumed_capacity(ReturnConsumedCapacity::Total);
            let out = call.send().await.map_err(store_error)?;
            for capacity in out.consumed_capacity.unwrap_or_default() {
                if let Some(table) = capacity.table_name().and_then(|name| self.names.logical(name)) {
                    self.count_read(table, Some(&capacity));
                }
            }
            for (name, items) in out.responses.unwrap_or_default() {
                let Some(table) = self.names.logical(&name) else { continue };
                for item in items {
                    let item = from_attributes(item).map_err(rejected)?;
                    if let Some(key) = Key::of(table, &item) {
                        found.insert(key, item);
                    }
                }
            }
            asked = out.unprocessed_keys.unwrap_or_default();
            if asked.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(Box::new(LeftOut)))
    }

    /// One write on its own: half the price of a transaction. The SDK repeats an attempt that got no answer, so a
    /// refusal after the first attempt may be the echo of our own write: its outcome is unknown. An addition is never
    /// repeated.
    async fn write_one(&self, table: Table, prepared: Prepared) -> Result<(), WriteError> {
        let name = self.names.physical(table);
        let total = ReturnConsumedCapacity::Total;
        let attempts = Attempts::default();
        let Prepared { action, condition, names, values } = prepared;
        let result = match action {
            Action::Put { item } => {
                let call = self.client.put_item().table_name(name).set_item(Some(item));
                let call = call.set_condition_expression(condition).return_consumed_capacity(total);
                let call = call.set_expression_attribute_names(names).set_expression_attribute_values(values);
                let sent = call.customize().interceptor(attempts.clone()).send().await;
                sent.map(|out| out.consumed_capacity).map_err(|error| write_error(error, &attempts))
            }
            Action::Update { key, expression, adds } => {
                let call = self.client.update_item().table_name(name).set_key(Some(key)).update_expression(expression);
                let call = call.set_condition_expression(condition).return_consumed_capacity(total);
                let call = call.set_expression_attribute_names(names).set_expression_attribute_values(values);
                let mut call = call.customize().interceptor(attempts.clone());
                if adds {
                    call = call.config_override(Builder::new().retry_config(RetryConfig::disabled()));
                }
                let sent = call.send().await;
                sent.map(|out| out.consumed_capacity).map_err(|error| write_error(error, &attempts))
            }
            Action::Delete { key } => {
                let call = self.client.delete_item().table_name(name).set_key(Some(key));
                let call = call.set_condition_expression(condition).return_consumed_capacity(total);
                let call = call.set_expression_attribute_names(names).set_expression_attribute_values(values);
                let sent = call.customize().interceptor(attempts.clone()).send().await;
                sent.map(|out| out.consumed_capacity).map_err(|error| write_error(error, &attempts))
            }
            Action::Check { .. } => {
                let check = Prepared { action, condition, names, values };
                return self.write_transaction(vec![(table, check)]).await;
            }
        };
        self.count_write(table, result?.as_ref());
        Ok(())
    }

    /// Several writes as one. The SDK sends a token of its own with them, so that a repeated attempt is answered with
    /// the first one's success.
    async fn write_transaction(&self, writes: Vec<(Table, Prepared)>) -> Result<(), WriteError> {
        let mut call = self.client.transact_write_items().return_consumed_capacity(ReturnConsumedCapacity::Total);
        for (table, prepared) in writes {
            call = call.transact_items(prepared.in_transaction(self.names.physical(table)).map_err(rejected)?);
        }
        let out = call.send().await.map_err(transaction_error)?;
        for capacity in out.consumed_capacity.unwrap_or_default() {
            if let Some(table) = capacity.table_name().and_then(|name| self.names.logical(name)) {
                self.count_write(table, Some(&capacity));
            }
        }
        Ok(())
    }
}

/// A query, ready to be sent.
struct Selection {
    table: Table,
    /// The attribute that says where a page ends.
    order_by: &'static str,
    call: QueryFluentBuilder,
}

/// Keys in one call: DynamoDB's limit.
const BATCH_KEYS: usize = 100;

/// Calls for one batch: it leaves out what is more than 16 MB, or what was throttled.
const BATCH_TRIES: u32 = 5;

/// Throttled again and again.
#[derive(Debug, thiserror::Error)]
#[error("items were left out of every answer")]
struct LeftOut;

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError> {
        let table = self.names.physical(key.table);
        if let Some(direct) = &self.direct
            && let Some(Found { item, units }) = direct.get(table, key, freshness).await
        {
            self.meter.read(key.table, units);
            return Ok(item);
        }
        let call = self.client.get_item().table_name(table);
        let call = call
            .set_key(Some(key_attributes(key).map_err(rejected)?))
            .consistent_read(freshness == Freshness::Consistent);
        let out = call.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.map_err(store_error)?;
        self.count_read(key.table, out.consumed_capacity.as_ref());
        out.item.map(from_attributes).transpose().map_err(rejected)
    }

    async fn get_many(&self, keys: &[Key], freshness: Freshness) -> Result<Vec<Option<Item>>, StoreError> {
        if let [key] = keys {
            return Ok(vec![self.get(key, freshness).await?]);
        }
        let distinct: BTreeSet<&Key> = keys.iter().collect();
        let distinct: Vec<&Key> = distinct.into_iter().collect();
        let mut found = HashMap::new();
        for keys in distinct.chunks(BATCH_KEYS) {
            self.get_batch(keys, freshness, &mut found).await?;
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let Some(Selection { table, order_by, call }) = self.select(query) else { return Ok(Page::default()) };
        let out = call.send().await.map_err(store_error)?;
        self.count_read(table, out.consumed_capacity.as_ref());
        page(out.items, out.last_evaluated_key.as_ref(), order_by)
    }

    async fn count(&self, query: &Query) -> Result<(u32, Option<String>), StoreError> {
        let Some(Selection { table, order_by, call }) = self.select(query) else { return Ok((0, None)) };
        let out = call.select(Select::Count).send().await.map_err(store_error)?;
        self.count_read(table, out.consumed_capacity.as_ref());
        Ok((out.count.max(0).cast_unsigned(), next(out.last_evaluated_key.as_ref(), order_by)))
    }

    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError> {
        let (pk_name, sk_name) = table.key_attributes();
        if sk_name.is_some() {
            return Err(rejected(failure::BadCall::Scan(table.name())));
        }
        let start = after.map(|after| HashMap::from([(pk_name.to_owned(), AttributeValue::S(after.to_owned()))]));
        let call = self.client.scan().table_name(self.names.physical(table)).set_exclusive_start_key(start);
        let call = call.set_limit(limit.map(u32::cast_signed));
        let out = call.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.map_err(store_error)?;
        self.count_read(table, out.consumed_capacity.as_ref());
        page(out.items, out.last_evaluated_key.as_ref(), pk_name)
    }

    async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let mut prepared = Vec::with_capacity(writes.len());
        for write in writes {
            prepared.push((write.table(), Prepared::new(&self.expiring(write)).map_err(rejected)?));
        }
        let (result, units) = match prepared.len() {
            0 => return Ok(()),
            1 => {
                let (table, only) = prepared.remove(0);
                let units = if matches!(only.action, Action::Check { .. }) { 2.0 } else { 1.0 };
                (self.write_one(table, only).await, units)
            }
            _ => (self.write_transaction(prepared).await, 2.0),
        };
        result.inspect_err(|error| self.count_refusal(writes, error, units))
    }
}

fn page(
    items: Option<Vec<HashMap<String, AttributeValue>>>,
    last: Option<&HashMap<String, AttributeValue>>,
    order_by: &str,
) -> Result<Page, StoreError> {
    let items =
        items.unwrap_or_default().into_iter().map(from_attributes).collect::<Result<_, _>>().map_err(rejected)?;
    Ok(Page { items, next: next(last, order_by) })
}

fn next(last: Option<&HashMap<String, AttributeValue>>, order_by: &str) -> Option<String> {
    last.and_then(|key| key.get(order_by)).and_then(|value| value.as_s().ok()).cloned()
}
