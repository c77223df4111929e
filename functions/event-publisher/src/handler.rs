//! Records of the events' and the rows' streams.

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use lambda_runtime::Error;
use tidegate_aws::bootstrap::Started;
use tidegate_aws::lambda;
use tidegate_engine::entities::{events, rows};
use tidegate_engine::ports::{BusEntry, Change, Ports, Table};
use tidegate_engine::{EngineError, publish};

/// Publishes what a batch tells. A batch that comes again is published again, under the same event ids.
pub(crate) async fn handle(started: &Started, event: Event) -> Result<DynamoDbEventResponse, Error> {
    Ok(lambda::in_one(event, &started.tables, |changes| run(&started.ports, changes)).await)
}

async fn run(ports: &Ports, changes: Vec<Change>) -> Result<(), EngineError> {
    let mut entries = Vec::new();
    for change in &changes {
        entries.extend(told_by(change)?);
    }
    publish::publish(ports, &entries).await
}

/// What a change tells the bus. What is removed tells nothing.
fn told_by(change: &Change) -> Result<Vec<BusEntry>, EngineError> {
    let Some(new) = change.new.as_deref() else { return Ok(Vec::new()) };
    match change.key.table {
        Table::Events => Ok(vec![publish::of_event(&events::parse(new.clone())?)]),
        Table::DeviceRollouts => {
            let old = change.old.as_deref().map(|old| rows::parse(old.clone())).transpose()?;
            Ok(publish::of_row(old.as_ref(), &rows::parse(new.clone())?))
        }
        Table::Devices
        | Table::DeviceImages
        | Table::Policies
        | Table::Images
        | Table::Rollouts
        | Table::RolloutJournal
        | Table::Deliveries => Ok(Vec::new()),
    }
}
