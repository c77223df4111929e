//! DynamoDB in this process, over HTTP on loopback, with its streams at hand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use dynoxide::Database;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::streams::shard_id;
use serde_json::{Value, json};
use tidegate_aws::lambda::in_one;
use tidegate_aws::local;
use tidegate_aws::store::DynamoStore;
use tidegate_aws::tables::TableNames;
use tidegate_engine::ports::{Change, Table};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::error::CapacityError;

const PREFIX: &str = "capacity";

/// An empty database with every table.
pub(crate) struct DynamoDb {
    /// The tables, as functions reach them.
    pub(crate) store: DynamoStore,
    names: TableNames,
    database: Database,
    streams: Mutex<BTreeMap<Table, Position>>,
    server: AbortHandle,
}

/// Where the reader of a stream is.
#[derive(Clone)]
struct Position {
    arn: String,
    iterator: Option<String>,
}

impl DynamoDb {
    pub(super) async fn start() -> Result<Self, CapacityError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(CapacityError::Listen)?;
        let address = listener.local_addr().map_err(CapacityError::Listen)?;
        let database = Database::memory()?;
        let server = tokio::spawn(dynoxide::server::serve_on(listener, database.clone())).abort_handle();
        let store = local::new_store(&format!("http://{address}"), PREFIX).await?;
        let names = TableNames::new(PREFIX);
        let mut streams = BTreeMap::new();
        for table in Table::ALL.into_iter().filter(|table| table.streamed()) {
            streams.insert(table, beginning(&database, names.physical(table))?);
        }
        Ok(Self { store, names, database, streams: Mutex::new(streams), server })
    }

    /// The next changes of a table's stream, read from records as Lambda hands them over.
    pub(super) async fn next(&self, table: Table, most: usize) -> Result<Vec<Change>, CapacityError> {
        let position = self.streams.lock().unwrap_or_else(PoisonError::into_inner).get(&table).cloned();
        let Some(Position { arn, iterator: Some(shard_iterator) }) = position else { return Ok(Vec::new()) };
        let found = self.database.get_records(GetRecordsRequest { shard_iterator, limit: Some(most) })?;
        let mut records = serde_json::to_value(&found.records)?;
        for record in records.as_array_mut().into_iter().flatten() {
            record["eventSourceARN"] = Value::from(arn.as_str());
        }
        let next = Position { arn, iterator: found.next_shard_iterator };
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(table, next);
        let event = serde_json::from_value(json!({ "Records": records }))?;
        let told = Mutex::new(Vec::new());
        let response = in_one(event, &self.names, |changes| {
            told.lock().unwrap_or_else(PoisonError::into_inner).extend(changes);
            std::future::ready(Ok(()))
        });
        let failed = response.await.batch_item_failures;
        if !failed.is_empty() {
            return Err(CapacityError::Unexpected { wanted: "a stream's records", what: format!("{failed:?}") });
        }
        Ok(told.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

fn beginning(database: &Database, table: &str) -> Result<Position, CapacityError> {
    let request = ListStreamsRequest { table_name: Some(table.to_owned()), ..ListStreamsRequest::default() };
    let streams = database.list_streams(request)?.streams;
    let arn = streams.into_iter().map(|stream| stream.stream_arn).next().unwrap_or_default();
    let request = GetShardIteratorRequest {
        stream_arn: arn.clone(),
        shard_id: shard_id(table),
        shard_iterator_type: "TRIM_HORIZON".to_owned(),
        sequence_number: None,
    };
    Ok(Position { arn, iterator: database.get_shard_iterator(request)?.shard_iterator })
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        self.server.abort();
    }
}
