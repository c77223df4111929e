//! Randomness that a seed repeats.

use std::sync::{Mutex, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_engine::ports::Entropy;

/// The same numbers for the same seed, on every machine.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<ChaCha8Rng>);

impl SeededEntropy {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha8Rng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn u128(&self) -> u128 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    fn bytes32(&self) -> [u8; 32] {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}
