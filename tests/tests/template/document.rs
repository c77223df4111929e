//! The template as JSON: short forms such as `!Sub x` become `{"Fn::Sub": "x"}`, as `CloudFormation` has them.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Tagged;

/// A node with its short form written out.
struct Node(Value);

/// A node as it stands, its own tag aside.
struct Bare(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Bare(value), tag) = Tagged::<Bare>::deserialize(deserializer)?;
        let function = tag.as_deref().and_then(|tag| tag.strip_prefix('!'));
        Ok(Self(match function {
            None | Some("") => value,
            Some(name @ ("Ref" | "Condition")) => wrapped(name.to_owned(), value),
            Some(name) => wrapped(format!("Fn::{name}"), value),
        }))
    }
}

fn wrapped(function: String, value: Value) -> Value {
    Value::Object(Map::from_iter([(function, value)]))
}

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BareVisitor).map(Self)
    }
}

struct BareVisitor;

impl<'de> Visitor<'de> for BareVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node of a template")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut nodes: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Node(value)) = nodes.next_element()? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut nodes: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Node(value))) = nodes.next_entry::<String, Node>()? {
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

/// The template.
pub(crate) struct Template(Value);

impl Template {
    /// As it is in the checkout.
    pub(crate) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml");
        let text = std::fs::read_to_string(path).expect("infra/template.yaml can be read");
        let Node(value) = serde_saphyr::from_str(&text).expect("infra/template.yaml is YAML");
        Self(value)
    }

    /// A section, such as `Parameters`, by the names of its entries.
    pub(crate) fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap_or_else(|| panic!("the template has no section {name}"))
    }

    /// The properties of every resource of a type, by logical name.
    pub(crate) fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let resources = self.section("Resources").iter();
        resources
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
    }

    /// The properties of one resource.
    pub(crate) fn properties(&self, name: &str) -> &Value {
        &self.section("Resources").get(name).unwrap_or_else(|| panic!("there is no resource {name}"))["Properties"]
    }

    /// The properties shared by all functions.
    pub(crate) fn shared_by_functions(&self) -> &Value {
        &self.0["Globals"]["Function"]
    }

    /// The functions: their name without the stack's, and their properties.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.of_type("AWS::Serverless::Function")
            .map(|(_, properties)| (suffix(&properties["FunctionName"]), properties))
    }
}

/// What follows the stack's name in `!Sub ${AWS::StackName}-…`.
pub(crate) fn suffix(name: &Value) -> &str {
    let text = name["Fn::Sub"].as_str().and_then(|text| text.strip_prefix("${AWS::StackName}-"));
    text.unwrap_or_else(|| panic!("{name} does not begin with the stack's name"))
}

/// The logical name that `!Ref X` or `!GetAtt X.Attribute` points to.
pub(crate) fn target(value: &Value) -> &str {
    let text = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"].as_str()?.split('.').next());
    text.unwrap_or_else(|| panic!("{value} points to nothing"))
}

/// The items of a list; none where there is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Every value inside a value, itself included.
pub(crate) fn walk<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(map) => map.values().for_each(|item| walk(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
