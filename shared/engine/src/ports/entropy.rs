//! Randomness: ids, plan seeds, tokens. Decisions get it as an argument, so only the edge asks for it.

/// A source of unguessable numbers.
pub trait Entropy: Send + Sync {
    /// 128 random bits: ids and seeds.
    fn u128(&self) -> u128;

    /// 256 random bits: tokens.
    fn bytes32(&self) -> [u8; 32];
}
