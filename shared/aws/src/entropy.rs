//! Randomness from the operating system.

use rand::TryRngCore;
use rand::rngs::OsRng;
use tidegate_engine::ports::Entropy;

/// The operating system's generator. It has no state in this process, so functions that were started from one
/// snapshot do not repeat each other.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl SystemEntropy {
    fn bytes<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        OsRng.try_fill_bytes(&mut bytes).expect("without the system's random numbers nothing can be issued safely");
        bytes
    }
}

impl Entropy for SystemEntropy {
    fn u128(&self) -> u128 {
        u128::from_le_bytes(Self::bytes())
    }

    fn bytes32(&self) -> [u8; 32] {
        Self::bytes()
    }
}
