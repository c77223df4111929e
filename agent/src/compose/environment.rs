//! Files of variables: `.env` beside the Compose file, and those that `env_file` names.

use super::Variables;
use super::interpolate::text_with;

/// Reads `NAME=value` lines in order. Values see the variables before them and those of `known`, unless they stand in
/// single quotes. Errors name the line.
pub(super) fn parse(text: &str, known: &Variables) -> Result<Vec<(String, String)>, Vec<String>> {
    let (mut pairs, mut errors, mut seen) = (Vec::new(), Vec::new(), known.clone());
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match pair(line, &seen) {
            Ok((name, value)) => {
                // What the process has goes before what a file says.
                seen.entry(name.clone()).or_insert_with(|| value.clone());
                pairs.push((name, value));
            }
            Err(why) => errors.push(format!("line {}: {why}", n + 1)),
        }
    }
    if errors.is_empty() { Ok(pairs) } else { Err(errors) }
}

fn pair(line: &str, known: &Variables) -> Result<(String, String), String> {
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    // The value stays out of the message: it may be a password.
    let (name, value) = line.split_once('=').ok_or("expected NAME=value")?;
    let name = name.trim_end();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || name.contains(char::is_whitespace) {
        return Err("expected NAME=value".to_owned());
    }
    let value = value.trim();
    let unclosed = || "expected the closing quote on the same line".to_owned();
    let value = if let Some(quoted) = value.strip_prefix('\'') {
        quoted.split_once('\'').ok_or_else(unclosed)?.0.to_owned()
    } else if let Some(quoted) = value.strip_prefix('"') {
        let raw = escaped(quoted).ok_or_else(unclosed)?;
        text_with(&raw, known).map_err(|_| format!("{name}: a variable in its value is not set"))?
    } else {
        let plain = value.find(" #").map_or(value, |at| value[..at].trim_end());
        text_with(plain, known).map_err(|_| format!("{name}: a variable in its value is not set"))?
    };
    Ok((name.to_owned(), value))
}

/// The text up to the closing double quote, with its escapes resolved.
fn escaped(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            '"' => return Some(out),
            '\\' => match letters.next()? {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                // A dollar sign stays one through the interpolation that follows.
                '$' => out.push_str("$$"),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "# comment\n\nA=1\nexport B = two words # why\nC='$A \"x\"'\nD=\"a\\n\\\"$A\\\" \\$A\"\nE=$A/${X:-x}\nF=\nG=a#b\n";
        let known = [("A".to_owned(), "0".to_owned())].into();
        let pairs = parse(text, &known).expect("it is well formed");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "$A \"x\""),
            ("D", "a\n\"0\" $A"),
            ("E", "0/x"),
            ("F", ""),
            ("G", "a#b"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn mistakes_name_the_line_and_no_value() {
        let errors = parse("A=1\nhunter2\nB=\"hunter2\n1C=hunter2\nD=${NONE}hunter2\n", &Variables::new());
        let errors = errors.expect_err("it is not");
        assert_eq!(errors.len(), 4);
        for (error, line) in errors.iter().zip(2..) {
            assert!(error.starts_with(&format!("line {line}: ")) && !error.contains("hunter2"), "{error}");
        }
    }
}
