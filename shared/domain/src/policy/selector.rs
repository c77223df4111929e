//! Which devices a policy selects, and which of several policies has a device.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::WrittenPolicy;
use crate::image::ImageRef;

/// The devices of one fleet, of any, with all of these tags. An empty one selects every device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// The fleet; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// Tags that a device must have, all of them, with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub device_tags: BTreeMap<String, String>,
}

impl Selector {
    /// Whether it selects a device of this fleet with these tags.
    pub fn selects(&self, fleet_id: &str, tags: &BTreeMap<String, String>) -> bool {
        self.fleet_id.as_deref().is_none_or(|fleet| fleet == fleet_id)
            && self.device_tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// How narrow it is: fleet and tags above fleet above tags above neither.
    fn rank(&self) -> u8 {
        match (self.fleet_id.is_some(), !self.device_tags.is_empty()) {
            (true, true) => 3,
            (true, false) => 2,
            (false, true) => 1,
            (false, false) => 0,
        }
    }
}

impl WrittenPolicy {
    /// Whether it is about this image on a device of this fleet with these tags.
    pub fn applies(&self, image: &ImageRef, fleet_id: &str, tags: &BTreeMap<String, String>) -> bool {
        self.image_pattern.matches(image) && self.selector.selects(fleet_id, tags)
    }
}

/// The one policy that has this image on a device of this fleet with these tags: the narrowest selector, then an exact
/// pattern before a wildcard, then the first by name.
pub fn winner<'a>(
    policies: impl IntoIterator<Item = &'a WrittenPolicy>,
    image: &ImageRef,
    fleet_id: &str,
    tags: &BTreeMap<String, String>,
) -> Option<&'a WrittenPolicy> {
    policies
        .into_iter()
        .filter(|policy| policy.applies(image, fleet_id, tags))
        .max_by_key(|policy| (policy.selector.rank(), policy.image_pattern.is_exact(), Reverse(&policy.name)))
}

/// The policies that are about one image, arranged so that each device's winner is found without looking at all of
/// them: patterns are matched once, and a device is compared with the policies of its own fleet and of none.
#[derive(Debug, Clone)]
pub struct Contest<'a> {
    /// The narrowest first.
    of_fleet: HashMap<&'a str, Vec<&'a WrittenPolicy>>,
    of_any: Vec<&'a WrittenPolicy>,
}

impl<'a> Contest<'a> {
    /// Of those that are about this image.
    pub fn over(policies: impl IntoIterator<Item = &'a WrittenPolicy>, image: &ImageRef) -> Self {
        let mut matching: Vec<&WrittenPolicy> =
            policies.into_iter().filter(|policy| policy.image_pattern.matches(image)).collect();
        matching
            .sort_by_key(|policy| (Reverse((policy.selector.rank(), policy.image_pattern.is_exact())), &policy.name));
        let mut contest = Self { of_fleet: HashMap::new(), of_any: Vec::new() };
        for policy in matching {
            match &policy.selector.fleet_id {
                Some(fleet) => contest.of_fleet.entry(fleet).or_default().push(policy),
                None => contest.of_any.push(policy),
            }
        }
        contest
    }

    /// The policy that has the image on a device of this fleet with these tags; as [`winner`] finds it.
    pub fn winner(&self, fleet_id: &str, tags: &BTreeMap<String, String>) -> Option<&'a WrittenPolicy> {
        // One that names a fleet is narrower than any that names none.
        let of_fleet = self.of_fleet.get(fleet_id).into_iter().flatten();
        of_fleet.chain(&self.of_any).copied().find(|policy| policy.selector.selects(fleet_id, tags))
    }

    /// Whether no policy is about the image.
    pub fn is_empty(&self) -> bool {
        self.of_fleet.is_empty() && self.of_any.is_empty()
    }

    /// Those that are about it, in no order.
    pub fn policies(&self) -> impl Iterator<Item = &'a WrittenPolicy> {
        self.of_fleet.values().flatten().chain(&self.of_any).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy as filled;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_contest_finds_the_winner(
            policies in prop::collection::vec((0..3u8, 0..3u8, 0..4u8), 0..12),
            fleet in 0..4u8,
            tag in 0..3u8,
        ) {
            let made: Vec<WrittenPolicy> = policies.iter().enumerate().map(|(n, (pattern, fleet, tag))| {
                let pattern = ["o/app:*", "o/app:1", "o/other:*"][*pattern as usize];
                let fleet = ["f1", "f2"].get(*fleet as usize).copied();
                let tag: &[(&str, &str)] = match tag { 0 => &[("a", "1")], 1 => &[("a", "2")], _ => &[] };
                policy(&format!("p{n:02}"), pattern, fleet, tag)
            }).collect();
            let image = ImageRef::parse("o/app:1").unwrap();
            let (fleet, tags) = (format!("f{fleet}"), tags(&[("a", &tag.to_string())]));
            let found = Contest::over(&made, &image).winner(&fleet, &tags).map(|policy| &policy.name);
            prop_assert_eq!(found, winner(&made, &image, &fleet, &tags).map(|policy| &policy.name));
        }
    }

    fn policy(name: &str, pattern: &str, fleet_id: Option<&str>, tags: &[(&str, &str)]) -> WrittenPolicy {
        WrittenPolicy::from(&filled(name, pattern, fleet_id, tags))
    }

    fn tags(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn selectors_ask_for_everything_they_name() {
        let selector = Selector { fleet_id: Some("f".to_owned()), device_tags: tags(&[("a", "1"), ("b", "2")]) };
        assert!(selector.selects("f", &tags(&[("a", "1"), ("b", "2"), ("c", "3")])));
        assert!(!selector.selects("g", &tags(&[("a", "1"), ("b", "2")])));
        assert!(!selector.selects("f", &tags(&[("a", "1")])));
        assert!(!selector.selects("f", &tags(&[("a", "1"), ("b", "3")])));
        assert!(Selector::default().selects("f", &tags(&[])));
    }

    #[test]
    fn the_most_specific_policy_wins() {
        // From the most specific to the least.
        let order = [
            policy("fleet and tags, exact", "o/app:1", Some("f"), &[("a", "1")]),
            policy("fleet and tags", "o/app:*", Some("f"), &[("a", "1")]),
            policy("fleet, exact", "o/app:1", Some("f"), &[]),
            policy("fleet", "o/app:*", Some("f"), &[]),
            policy("tags, exact", "o/app:1", None, &[("a", "1")]),
            policy("tags", "o/app:*", None, &[("a", "1")]),
            policy("none, exact", "o/app:1", None, &[]),
            policy("none, by name first", "o/app:*", None, &[]),
            policy("none, by name second", "o/app:*", None, &[]),
        ];
        let image = ImageRef::parse("o/app:1").unwrap();
        let device = tags(&[("a", "1")]);
        for start in 0..order.len() {
            let name = winner(&order[start..], &image, "f", &device).map(|policy| policy.name.as_str());
            assert_eq!(name, Some(order[start].name.as_str()));
            let reversed = winner(order[start..].iter().rev(), &image, "f", &device).map(|policy| policy.name.as_str());
            assert_eq!(reversed, name, "the order of the list plays no part");
        }
        assert_eq!(winner(&order, &ImageRef::parse("o/other:1").unwrap(), "f", &device), None);
        let elsewhere = winner(&order, &image, "g", &tags(&[])).map(|policy| policy.name.as_str());
        assert_eq!(elsewhere, Some("none, exact"));
    }
}
