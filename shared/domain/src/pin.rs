//! The content that a device runs or should run: a tag for people, a digest for machines.

use serde::{Deserialize, Serialize};

use crate::image::{Digest, ImageRef, Repository, Tag};

/// An image of a known repository. Two pins are the same image when their digests are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What people call it.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What it is; unknown until a device or a registry told.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Pin {
    /// The full reference in a repository, by tag where there is one.
    pub fn image(&self, repository: &Repository) -> String {
        let by_digest = self.tag.is_none().then(|| self.digest.clone()).flatten();
        ImageRef { repository: repository.clone(), tag: self.tag.clone(), digest: by_digest }.to_string()
    }

    /// Whether both are known to be, or by their tags seem to be, the same content.
    pub fn same_image(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => self.tag == other.tag,
        }
    }
}
