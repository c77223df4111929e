//! What somebody may have meant who wrote a name that is none.

/// The known name that a wrong one is nearest to: two letters away at most, whatever their case.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let all = known.into_iter().map(|known| (distance(&name, &known.to_ascii_lowercase()), known));
    all.min().filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}

/// How many letters must be put in, left out or changed to make one name the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_to_one_that_is_two_letters_away() {
        let known = ["BatchDelayMinutes", "StagedBatches"];
        for (name, expected) in [
            ("BatchDelayMinute", Some("BatchDelayMinutes")),
            ("batchdelayminutes", Some("BatchDelayMinutes")),
            ("StagedBatch", Some("StagedBatches")),
            ("StageBatch", None),
            ("", None),
            ("größe", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        assert_eq!(nearest("x", []), None);
        assert_eq!((distance("kitten", "sitting"), distance("", "abc")), (3, 3));
    }
}
