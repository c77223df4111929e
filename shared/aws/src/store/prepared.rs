//! A write as a call of its own and as a part of a transaction.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update};
use tidegate_engine::ports::Write;

use super::expression::{self, Placeholders};
use super::failure::BadCall;
use super::item::{ItemError, key_attributes, to_attributes};

type Attributes = HashMap<String, AttributeValue>;

/// A write whose expressions are rendered.
pub(super) struct Prepared {
    pub(super) action: Action,
    pub(super) condition: Option<String>,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<Attributes>,
}

/// What it does.
pub(super) enum Action {
    Put {
        item: Attributes,
    },
    Update {
        key: Attributes,
        expression: String,
        /// Whether doing it twice differs from doing it once.
        adds: bool,
    },
    Delete {
        key: Attributes,
    },
    Check {
        key: Attributes,
    },
}

impl Prepared {
    pub(super) fn new(write: &Write) -> Result<Self, BadCall> {
        let mut placeholders = Placeholders::default();
        let table = write.table();
        let (action, condition) = match write {
            Write::Put { item, condition, .. } => (Action::Put { item: to_attributes(item)? }, condition),
            Write::Update { key, set, add, remove, condition } => {
                // AWS refuses this too, but not every database that is compatible with it does in a transaction.
                let (pk, sk) = table.key_attributes();
                let mut names = set.iter().map(|(name, _)| name).chain(add.iter().map(|(name, _)| name)).chain(remove);
                if names.any(|name| *name == pk || Some(*name) == sk) {
                    return Err(BadCall::KeyChange(key.to_string()));
                }
                let expression = expression::update(set, add, remove, &mut placeholders)?;
                if expression.is_empty() {
                    return Err(BadCall::Nothing(key.to_string()));
                }
                (Action::Update { key: key_attributes(key)?, expression, adds: !add.is_empty() }, condition)
            }
            Write::Delete { key, condition } => (Action::Delete { key: key_attributes(key)? }, condition),
            Write::Check { key, condition } => (Action::Check { key: key_attributes(key)? }, condition),
        };
        let mut condition = expression::condition(condition, table, &mut placeholders)?;
        if condition.is_none() && matches!(action, Action::Check { .. }) {
            // A check must have an expression, also when it cannot fail.
            let pk = placeholders.name(table.key_attributes().0);
            condition = Some(format!("attribute_exists({pk}) OR attribute_not_exists({pk})"));
        }
        Ok(Self { action, condition, names: placeholders.take_names(), values: placeholders.take_values() })
    }

    pub(super) fn in_transaction(self, table: &str) -> Result<TransactWriteItem, ItemError> {
        let Self { action, condition, names, values } = self;
        let whole = TransactWriteItem::builder();
        Ok(match action {
            Action::Put { item } => {
                let put = Put::builder().table_name(table).set_item(Some(item)).set_condition_expression(condition);
                let put = put.set_expression_attribute_names(names).set_expression_attribute_values(values);
                whole.put(put.build()?)
            }
            Action::Update { key, expression, .. } => {
                let update = Update::builder().table_name(table).set_key(Some(key)).update_expression(expression);
                let update = update.set_condition_expression(condition);
                let update = update.set_expression_attribute_names(names).set_expression_attribute_values(values);
                whole.update(update.build()?)
            }
            Action::Delete { key } => {
                let delete = Delete::builder().table_name(table).set_key(Some(key)).set_condition_expression(condition);
                let delete = delete.set_expression_attribute_names(names).set_expression_attribute_values(values);
                whole.delete(delete.build()?)
            }
            Action::Check { key } => {
                let check = ConditionCheck::builder().table_name(table).set_key(Some(key));
                let check = check.set_condition_expression(condition);
                let check = check.set_expression_attribute_names(names).set_expression_attribute_values(values);
                whole.condition_check(check.build()?)
            }
        }
        .build())
    }
}
