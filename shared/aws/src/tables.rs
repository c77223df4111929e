//! Physical table names, and the tables themselves where no template makes them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType,
};
use tidegate_engine::ports::{Index, Table};

/// The physical names of one stack's tables: `<prefix>-<logical name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames {
    names: [String; Table::ALL.len()],
}

impl TableNames {
    /// The names of the stack with this prefix.
    pub fn new(prefix: &str) -> Self {
        Self { names: Table::ALL.map(|table| format!("{prefix}-{}", table.name())) }
    }

    /// The physical name.
    pub fn physical(&self, table: Table) -> &str {
        &self.names[table as usize]
    }

    /// The table with this physical name, if it is one of the stack's.
    pub fn logical(&self, physical: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| self.physical(*table) == physical)
    }

    /// The table whose stream has this ARN (`arn:…:table/<physical name>/stream/<label>`).
    pub fn of_stream(&self, arn: &str) -> Option<Table> {
        let (_, after) = arn.split_once(":table/")?;
        self.logical(after.split('/').next()?)
    }
}

/// A table was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTablesError {
    /// The call was never sent.
    #[error("a table's description is incomplete")]
    Build(#[from] BuildError),
    /// The database refused it or did not answer.
    #[error("creating table {table} failed")]
    Refused {
        /// Its physical name.
        table: String,
        /// The reason.
        #[source]
        source: Box<aws_sdk_dynamodb::Error>,
    },
}

/// Makes every table with its indexes and streams, on demand, as `infra/template.yaml` declares them. For databases
/// that no template is deployed to: tests and in-process runs.
pub async fn create_all(client: &Client, prefix: &str) -> Result<(), CreateTablesError> {
    let names = TableNames::new(prefix);
    for table in Table::ALL {
        let physical = names.physical(table);
        create(client, table, physical).await?;
    }
    Ok(())
}

async fn create(client: &Client, table: Table, physical: &str) -> Result<(), CreateTablesError> {
    let (pk, sk) = table.key_attributes();
    let mut attributes = vec![pk];
    attributes.extend(sk);
    let mut request = client
        .create_table()
        .table_name(physical)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_schema(pk, sk)?));
    for index in Index::ALL.into_iter().filter(|index| index.table() == table) {
        let (partition, sort) = index.key_attributes();
        attributes.extend([partition, sort]);
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        request = request.global_secondary_indexes(
            GlobalSecondaryIndex::builder()
                .index_name(index.name())
                .set_key_schema(Some(key_schema(partition, Some(sort))?))
                .projection(keys_only)
                .build()?,
        );
    }
    attributes.sort_unstable();
    attributes.dedup();
    for name in attributes {
        request = request.attribute_definitions(
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()?,
        );
    }
    if table.streamed() {
        let view = StreamViewType::NewAndOldImages;
        request = request
            .stream_specification(StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build()?);
    }
    request
        .send()
        .await
        .map(|_| ())
        .map_err(|error| CreateTablesError::Refused { table: physical.to_owned(), source: Box::new(error.into()) })
}

fn key_schema(pk: &str, sk: Option<&str>) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
    let mut schema = vec![element(pk, KeyType::Hash)?];
    if let Some(sk) = sk {
        schema.push(element(sk, KeyType::Range)?);
    }
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_arn_names_its_table() {
        let names = TableNames::new("my-stack");
        let arn =
            "arn:aws:dynamodb:eu-central-1:123456789012:table/my-stack-device_rollouts/stream/2026-01-01T00:00:00.000";
        assert_eq!(names.of_stream(arn), Some(Table::DeviceRollouts));
        assert_eq!(names.of_stream("arn:aws:dynamodb:eu-central-1:123456789012:table/other-devices/stream/x"), None);
    }
}
