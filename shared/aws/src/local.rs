//! Databases without credentials at an address: DynamoDB-compatible ones in this process or next door.

use aws_sdk_dynamodb::Client;

use crate::sdk::Sdk;
use crate::store::DynamoStore;
use crate::tables::{self, CreateTablesError, TableNames};

/// Makes the tables with this prefix at an address, and gives the store over them.
pub async fn new_store(endpoint_url: &str, prefix: &str) -> Result<DynamoStore, CreateTablesError> {
    let sdk = Sdk::local(endpoint_url);
    tables::create_all(&Client::new(&sdk.config), prefix).await?;
    Ok(DynamoStore::new(&sdk, TableNames::new(prefix)))
}
