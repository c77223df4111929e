//! Conditions, updates and key conditions as DynamoDB's expressions. Every name and value goes in by placeholder.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use tidegate_engine::ports::{Condition, Table};

use super::item::{ItemError, value_to_attribute};

/// DynamoDB's limit of the operands of one `IN`.
const IN_MAX: usize = 100;

/// The placeholders of one call.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: Vec<String>,
    values: Vec<AttributeValue>,
}

impl Placeholders {
    /// The placeholder of a name; the same name has one.
    pub(super) fn name(&mut self, name: &str) -> String {
        let position = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#n{position}")
    }

    /// A placeholder for a value.
    pub(super) fn value(&mut self, value: AttributeValue) -> String {
        self.values.push(value);
        format!(":v{}", self.values.len() - 1)
    }

    fn json(&mut self, value: &Value) -> Result<String, ItemError> {
        Ok(self.value(value_to_attribute(value)?))
    }

    fn number(&mut self, number: i64) -> String {
        self.value(AttributeValue::N(number.to_string()))
    }

    /// The names as a call takes them: nothing where there are none.
    pub(super) fn take_names(&mut self) -> Option<HashMap<String, String>> {
        let names = std::mem::take(&mut self.names).into_iter().enumerate();
        Some(names.map(|(i, name)| (format!("#n{i}"), name)).collect())
            .filter(|names: &HashMap<_, _>| !names.is_empty())
    }

    /// The values as a call takes them: nothing where there are none.
    pub(super) fn take_values(&mut self) -> Option<HashMap<String, AttributeValue>> {
        let values = std::mem::take(&mut self.values).into_iter().enumerate();
        Some(values.map(|(i, value)| (format!(":v{i}"), value)).collect())
            .filter(|values: &HashMap<_, _>| !values.is_empty())
    }
}

/// The condition's expression; `None` where it always holds.
pub(super) fn condition(
    condition: &Condition,
    table: Table,
    placeholders: &mut Placeholders,
) -> Result<Option<String>, ItemError> {
    let (pk, _) = table.key_attributes();
    match fixed(condition) {
        Some(true) => Ok(None),
        Some(false) => {
            let pk = placeholders.name(pk);
            Ok(Some(format!("attribute_exists({pk}) AND attribute_not_exists({pk})")))
        }
        None => render(condition, pk, placeholders).map(Some),
    }
}

/// Whether the condition holds of every item, or of none; `None` where the item decides. Such parts never reach an
/// expression, since DynamoDB refuses placeholders that it has no use for.
fn fixed(condition: &Condition) -> Option<bool> {
    match condition {
        Condition::Always => Some(true),
        Condition::OneOf(_, values) if values.is_empty() => Some(false),
        Condition::All(conditions) => decided(conditions, false),
        Condition::Any(conditions) => decided(conditions, true),
        Condition::Absent
        | Condition::Present
        | Condition::Equals(..)
        | Condition::OneOf(..)
        | Condition::Below(..)
        | Condition::Missing(_) => None,
    }
}

/// `by` is the value that decides alone when one of the conditions has it.
fn decided(conditions: &[Condition], by: bool) -> Option<bool> {
    let mut open = false;
    for condition in conditions {
        match fixed(condition) {
            Some(value) if value == by => return Some(by),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!by) }
}

fn render(condition: &Condition, pk: &str, placeholders: &mut Placeholders) -> Result<String, ItemError> {
    Ok(match condition {
        Condition::Always => unreachable!("what always holds is never rendered"),
        Condition::Absent => format!("attribute_not_exists({})", placeholders.name(pk)),
        Condition::Present => format!("attribute_exists({})", placeholders.name(pk)),
        Condition::Missing(name) => format!("attribute_not_exists({})", placeholders.name(name)),
        Condition::Equals(name, value) => format!("{} = {}", placeholders.name(name), placeholders.json(value)?),
        Condition::Below(name, limit) => format!("{} < {}", placeholders.name(name), placeholders.number(*limit)),
        Condition::OneOf(name, values) => {
            let name = placeholders.name(name);
            let mut choices = Vec::new();
            for values in values.chunks(IN_MAX) {
                let values = values.iter().map(|value| placeholders.json(value)).collect::<Result<Vec<_>, _>>()?;
                choices.push(format!("{name} IN ({})", values.join(", ")));
            }
            grouped(choices, " OR ")
        }
        Condition::All(conditions) => joined(conditions, " AND ", pk, placeholders)?,
        Condition::Any(conditions) => joined(conditions, " OR ", pk, placeholders)?,
    })
}

fn joined(
    conditions: &[Condition],
    with: &str,
    pk: &str,
    placeholders: &mut Placeholders,
) -> Result<String, ItemError> {
    let open = conditions.iter().filter(|condition| fixed(condition).is_none());
    let parts = open.map(|condition| render(condition, pk, placeholders)).collect::<Result<Vec<_>, _>>()?;
    Ok(grouped(parts, with))
}

fn grouped(mut parts: Vec<String>, with: &str) -> String {
    if parts.len() == 1 { parts.remove(0) } else { format!("({})", parts.join(with)) }
}

/// An update's expression.
pub(super) fn update(
    set: &[(&'static str, Value)],
    add: &[(&'static str, i64)],
    remove: &[&'static str],
    placeholders: &mut Placeholders,
) -> Result<String, ItemError> {
    let mut expression = String::new();
    let mut clause = |keyword: &str, parts: Vec<String>| {
        if !parts.is_empty() {
            let space = if expression.is_empty() { "" } else { " " };
            let _ = write!(expression, "{space}{keyword} {}", parts.join(", "));
        }
    };
    let mut sets = Vec::with_capacity(set.len());
    for (name, value) in set {
        sets.push(format!("{} = {}", placeholders.name(name), placeholders.json(value)?));
    }
    clause("SET", sets);
    clause(
        "ADD",
        add.iter().map(|(name, by)| format!("{} {}", placeholders.name(name), placeholders.number(*by))).collect(),
    );
    clause("REMOVE", remove.iter().map(|name| placeholders.name(name)).collect());
    Ok(expression)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(given: &Condition) -> Option<String> {
        condition(given, Table::Devices, &mut Placeholders::default()).unwrap()
    }

    #[test]
    fn conditions_become_expressions() {
        let equals = |n: i64| Condition::Equals("revision", n.into());
        let cases = [
            (Condition::Always, None),
            (Condition::Absent, Some("attribute_not_exists(#n0)")),
            (equals(1), Some("#n0 = :v0")),
            (Condition::Below("revision", 7), Some("#n0 < :v0")),
            (Condition::OneOf("status", vec!["a".into(), "b".into()]), Some("#n0 IN (:v0, :v1)")),
            (Condition::All(vec![]), None),
            (Condition::All(vec![Condition::Always, equals(1)]), Some("#n0 = :v0")),
            (
                Condition::All(vec![equals(1), Condition::Any(vec![Condition::Absent, equals(2)])]),
                Some("(#n0 = :v0 AND (attribute_not_exists(#n1) OR #n0 = :v1))"),
            ),
            (Condition::Any(vec![equals(1), Condition::Always]), None),
            (
                Condition::All(vec![equals(1), Condition::Any(vec![])]),
                Some("attribute_exists(#n0) AND attribute_not_exists(#n0)"),
            ),
            (Condition::Any(vec![]), Some("attribute_exists(#n0) AND attribute_not_exists(#n0)")),
        ];
        for (condition, expected) in cases {
            assert_eq!(rendered(&condition).as_deref(), expected, "{condition:?}");
        }
    }

    #[test]
    fn an_update_has_one_clause_of_each_kind() {
        let expression =
            update(&[("a", 1.into()), ("b", "x".into())], &[("n", 2)], &["c"], &mut Placeholders::default()).unwrap();
        assert_eq!(expression, "SET #n0 = :v0, #n1 = :v1 ADD #n2 :v2 REMOVE #n3");
    }
}
