//! The part of a partition that a query asks for, as a key condition and a place to start from.

use aws_sdk_dynamodb::types::AttributeValue;
use tidegate_engine::ports::Query;

use super::expression::Placeholders;

/// Which sort keys. A key condition has room for one comparison: beside a prefix, `after` is the place to start from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range<'a> {
    Whole,
    After { sk: &'a str, descending: bool },
    Prefix(&'a str),
    PrefixAfter { prefix: &'a str, sk: &'a str },
}

impl<'a> Range<'a> {
    /// `None` where no sort key can fit.
    pub(super) fn of(query: &'a Query) -> Option<Self> {
        let descending = query.descending;
        Some(match (query.prefix.as_deref().filter(|prefix| !prefix.is_empty()), query.after.as_deref()) {
            (None, None) => Self::Whole,
            (None, Some(sk)) => Self::After { sk, descending },
            (Some(prefix), None) => Self::Prefix(prefix),
            (Some(prefix), Some(sk)) if sk.starts_with(prefix) => Self::PrefixAfter { prefix, sk },
            (Some(prefix), Some(sk)) if (sk < prefix) != descending => Self::Prefix(prefix),
            (Some(_), Some(_)) => return None,
        })
    }

    /// The condition on the sort key.
    pub(super) fn condition(&self, sk_name: &str, placeholders: &mut Placeholders) -> Option<String> {
        let mut with =
            |text: &str| (placeholders.name(sk_name), placeholders.value(AttributeValue::S(text.to_owned())));
        Some(match self {
            Self::Whole => return None,
            Self::After { sk, descending } => {
                let (name, value) = with(sk);
                format!("{name} {} {value}", if *descending { '<' } else { '>' })
            }
            Self::Prefix(prefix) | Self::PrefixAfter { prefix, .. } => {
                let (name, value) = with(prefix);
                format!("begins_with({name}, {value})")
            }
        })
    }

    /// The sort key to start behind.
    pub(super) fn start(&self) -> Option<&'a str> {
        match self {
            Self::PrefixAfter { sk, .. } => Some(sk),
            Self::Whole | Self::After { .. } | Self::Prefix(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_engine::ports::Table;

    use super::*;

    #[test]
    fn an_after_outside_of_the_prefix_selects_all_of_it_or_nothing() {
        let cases = [
            ("within", "b1", false, Some(Range::PrefixAfter { prefix: "b", sk: "b1" })),
            ("before, upwards", "a", false, Some(Range::Prefix("b"))),
            ("behind, upwards", "c", false, None),
            ("before, downwards", "a", true, None),
            ("behind, downwards", "c", true, Some(Range::Prefix("b"))),
        ];
        for (label, after, descending, expected) in cases {
            let query = Query {
                after: Some(after.into()),
                prefix: Some("b".into()),
                descending,
                ..Query::partition(Table::Images, "r")
            };
            assert_eq!(Range::of(&query), expected, "{label}");
        }
    }
}
