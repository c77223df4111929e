//! Variables, and keys of a secret, read once, with every mistake kept.

use std::fmt;

/// What is wrong with one variable. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableError {
    /// The variable.
    pub name: &'static str,
    /// What was expected of it.
    pub problem: String,
}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

/// The environment does not make a configuration; starting again with the same one cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment is not complete: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConfigError(pub Vec<VariableError>);

/// Reads variables and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<VariableError>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, errors: Vec::new() }
    }

    /// The value, if all were right.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<VariableError>> {
        if self.errors.is_empty() { Ok(value) } else { Err(self.errors) }
    }

    /// The variable, unless it is missing or empty: a template's empty parameter is none.
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn wrong(&mut self, name: &'static str, problem: impl fmt::Display) {
        self.errors.push(VariableError { name, problem: problem.to_string() });
    }

    pub(super) fn required(&mut self, name: &'static str) -> String {
        self.get(name).unwrap_or_else(|| {
            self.wrong(name, "is missing");
            String::new()
        })
    }

    /// The variable as `parse` reads it, or the default where it is missing.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        let Some(text) = self.get(name) else { return default };
        parse(&text).unwrap_or_else(|error| {
            // Some errors say what they got already.
            let (told, got) = (error.to_string(), format!("got {text:?}"));
            self.wrong(name, if told.contains(&got) { told } else { format!("{told}, {got}") });
            default
        })
    }

    /// A variable whose value is not shown, also not when it is wrong.
    pub(crate) fn secret<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.get(name)?;
        parse(&text).map_err(|error| self.wrong(name, error)).ok()
    }

    pub(super) fn number(&mut self, name: &'static str, default: u32, least: u32, most: u32) -> u32 {
        self.parsed(name, default, |text| {
            let number = text.parse().ok().filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| format!("expected a whole number from {least} to {most}"))
        })
    }

    /// A duration that is not zero.
    pub(super) fn seconds(&mut self, name: &'static str, default: u32) -> u32 {
        self.number(name, default, 1, u32::MAX)
    }
}
