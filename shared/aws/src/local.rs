//! Databases without credentials at an address: DynamoDB-compatible ones in this process or next door.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;

use crate::bootstrap;
use crate::store::DynamoStore;
use crate::tables::{self, CreateTablesError, TableNames};

/// The region and the account that local databases and emulators make up.
const REGION: &str = "us-east-1";
const ANYONE: &str = "test";

/// On a busy machine what is next door is slow, not gone: a call sent twice would be counted twice, or refused.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The SDK towards an address, such as `http://127.0.0.1:8000`, with the retries of the functions, and more patience.
/// Whatever is there must not check who asks.
pub async fn sdk_config(endpoint_url: &str) -> SdkConfig {
    let anyone = Credentials::new(ANYONE, ANYONE, None, None, "local");
    let loader =
        aws_config::defaults(BehaviorVersion::latest()).region(Region::new(REGION)).credentials_provider(anyone);
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(CALL_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
    bootstrap::patient(loader).timeout_config(timeouts).endpoint_url(endpoint_url).load().await
}

/// Makes the tables with this prefix at an address, and gives the store over them.
pub async fn new_store(endpoint_url: &str, prefix: &str) -> Result<DynamoStore, CreateTablesError> {
    let client = Client::new(&sdk_config(endpoint_url).await);
    tables::create_all(&client, prefix).await?;
    Ok(DynamoStore::new(client, TableNames::new(prefix)))
}
