//! The order in which services start.

use std::collections::BTreeMap;

use super::mistakes::Mistakes;

/// The services such that each comes after those that it depends on; by name where nothing says otherwise.
pub(super) fn order(depends: &BTreeMap<String, Vec<String>>, mistakes: &Mistakes) -> Vec<String> {
    let mut order = Vec::new();
    for name in depends.keys() {
        visit(name, depends, &mut Vec::new(), &mut order, mistakes);
    }
    order
}

fn visit(
    name: &str,
    depends: &BTreeMap<String, Vec<String>>,
    open: &mut Vec<String>,
    order: &mut Vec<String>,
    mistakes: &Mistakes,
) {
    if order.iter().any(|done| done == name) {
        return;
    }
    let path = format!("services.{name}.depends_on");
    if open.iter().any(|one| one == name) {
        mistakes.note(&path, format_args!("a circle: {}", open.join(" -> ")));
        return;
    }
    open.push(name.to_owned());
    for other in depends.get(name).into_iter().flatten() {
        if depends.contains_key(other) {
            visit(other, depends, open, order, mistakes);
        } else {
            mistakes.note(&path, format_args!("there is no service {other}"));
        }
    }
    open.pop();
    order.push(name.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(depends: &[(&str, &[&str])]) -> (String, Vec<String>) {
        let depends = depends
            .iter()
            .map(|(name, others)| ((*name).to_owned(), others.iter().map(|&other| other.to_owned()).collect()))
            .collect();
        let mistakes = Mistakes::default();
        (order(&depends, &mistakes).join(" "), mistakes.into_list())
    }

    #[test]
    fn what_others_depend_on_comes_first() {
        let (order, mistakes) = ordered(&[("a", &["c", "b"]), ("b", &["c"]), ("c", &[]), ("d", &[])]);
        assert_eq!((order.as_str(), mistakes), ("c b a d", Vec::new()));
    }

    #[test]
    fn circles_and_strangers() {
        let (_, mistakes) = ordered(&[("a", &["b"]), ("b", &["a"]), ("c", &["z"])]);
        assert_eq!(
            mistakes,
            ["services.a.depends_on: a circle: a -> b", "services.c.depends_on: there is no service z"]
        );
    }
}
