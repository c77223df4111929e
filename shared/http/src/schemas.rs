//! Parts of the contract that are no object of their own: words, forms of texts and numbers, the answers of each guard.

pub(crate) mod answers;
pub(crate) mod forms;
pub(crate) mod tidy;
pub(crate) mod words;
