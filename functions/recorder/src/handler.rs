//! Records of the devices' stream.

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use lambda_runtime::Error;
use tidegate_aws::bootstrap::Started;
use tidegate_aws::clock;
use tidegate_aws::lambda;
use tidegate_engine::entities::devices;
use tidegate_engine::ports::{Change, Ports};
use tidegate_engine::{EngineError, record};

/// Records a batch as a whole, so that its devices share a page of the journal.
pub(crate) async fn handle(started: &Started, event: Event) -> Result<DynamoDbEventResponse, Error> {
    Ok(lambda::in_one(event, &started.tables, |changes| run(&started.ports, changes)).await)
}

async fn run(ports: &Ports, changes: Vec<Change>) -> Result<(), EngineError> {
    // A removed item has no new image, and nothing to record.
    let images = changes.iter().filter_map(|change| change.new.as_deref());
    let images = images.map(|image| devices::parse(image.clone())).collect::<Result<Vec<_>, _>>()?;
    record::record(ports, &images, clock::now()).await
}
