//! Databases without credentials at an address: DynamoDB-compatible ones in this process or next door.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::Client;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

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
pub fn sdk_config(endpoint_url: &str) -> SdkConfig {
    let anyone = Credentials::new(ANYONE, ANYONE, None, None, "local");
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(CALL_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
    bootstrap::patient()
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(anyone))
        .timeout_config(timeouts)
        .endpoint_url(endpoint_url)
        .build()
}

/// Makes the tables with this prefix at an address, and gives the store over them.
pub async fn new_store(endpoint_url: &str, prefix: &str) -> Result<DynamoStore, CreateTablesError> {
    let client = Client::new(&sdk_config(endpoint_url));
    tables::create_all(&client, prefix).await?;
    Ok(DynamoStore::new(client, TableNames::new(prefix)))
}
