//! The words an operator chooses from.

use serde::{Deserialize, Serialize};

/// An enum of words: its list, and each word as text.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $word),+
        }

        impl $name {
            /// All of them, in the order that people are told.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text),+
                }
            }

            /// Reads the word; `None` where it is none of them.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// How a policy's rollouts go.
    Strategy {
        /// One batch of all.
        Auto = "auto",
        /// Batch by batch.
        Staged = "staged",
        /// An approval, then batches.
        Manual = "manual",
        /// Batches inside maintenance windows.
        Scheduled = "scheduled",
    }
}

words! {
    /// What a newer image does to a live rollout.
    OnNewer {
        /// Its rollout takes the place of the live one.
        Supersede = "supersede",
        /// It waits; only the newest waits.
        Queue = "queue",
        /// It is recorded and nothing more.
        Ignore = "ignore",
    }
}

words! {
    /// What an automatic stop does.
    OnFailure {
        /// The rollout pauses.
        Pause = "pause",
        /// Every device goes back.
        RollbackAll = "rollback_all",
    }
}

words! {
    /// What happens to a device that runs another image than it should.
    OnDrift {
        /// It is brought back to what it should run.
        Converge = "converge",
        /// What it runs becomes what it should run.
        Adopt = "adopt",
        /// It is left alone and shown.
        Hold = "hold",
    }
}

words! {
    /// Where a policy came from.
    Origin {
        /// policies.yaml.
        File = "file",
        /// The API.
        Api = "api",
    }
}
