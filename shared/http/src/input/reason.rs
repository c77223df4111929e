//! Why a person does something, for those who look later.

use tidegate_domain::fields::FieldError;

/// Longest reason, in characters.
const REASON_MAX: usize = 500;

/// A reason as it is kept; one of spaces alone is none.
pub(crate) fn reason(given: Option<String>) -> Result<Option<String>, FieldError> {
    let reason = given.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_deref().is_some_and(|reason| reason.chars().count() > REASON_MAX) {
        return Err(FieldError::new("/reason", format!("expected at most {REASON_MAX} characters")));
    }
    Ok(reason)
}
