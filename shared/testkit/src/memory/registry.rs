//! A registry in memory: tests say what its tags mean.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidegate_domain::image::{Digest, ImageRef, Repository};
use tidegate_engine::ports::{Registry, ResolveError, Resolved};

/// What the registry says about a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It means this.
    Resolved(Resolved),
    /// The registry of this reference is none that may be asked.
    NotPossible,
    /// The registry is down.
    Down,
}

impl Answer {
    /// A single manifest.
    pub fn manifest(digest: Digest) -> Self {
        Self::Resolved(Resolved { digest, platforms: BTreeMap::new() })
    }
}

/// Tags and what they mean. What nobody has set is not found; a reference with a digest means itself.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    answers: Mutex<BTreeMap<ImageRef, Answer>>,
}

impl MemoryRegistry {
    /// From now on the reference is answered so.
    pub fn set(&self, image: ImageRef, answer: Answer) {
        self.answers().insert(image, answer);
    }

    /// From now on the reference is not found.
    pub fn remove(&self, image: &ImageRef) {
        self.answers().remove(image);
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<ImageRef, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the registry is down")]
struct Down;

#[async_trait]
impl Registry for MemoryRegistry {
    fn may_be_asked(&self, repository: &Repository) -> bool {
        let answers = self.answers();
        let mut of_host = answers.iter().filter(|(image, _)| image.repository.registry() == repository.registry());
        of_host.any(|(_, answer)| *answer != Answer::NotPossible)
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, ResolveError> {
        let answer = self.answers().get(image).cloned();
        match (answer, &image.digest) {
            (Some(Answer::Resolved(resolved)), _) => Ok(resolved),
            (Some(Answer::NotPossible), _) => {
                Err(ResolveError::NotPossible(format!("{} is not configured", image.repository.registry())))
            }
            (Some(Answer::Down), _) => Err(ResolveError::Unavailable(Box::new(Down))),
            (None, Some(digest)) => Ok(Resolved { digest: digest.clone(), platforms: BTreeMap::new() }),
            (None, None) => Err(ResolveError::NotFound),
        }
    }
}
