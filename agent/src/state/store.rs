//! The port to what survives a power cut.

pub mod file;
mod slot;
#[cfg(test)]
mod tests;

/// Keeps the newest state. A write is whole or it did not happen, and when it returned it survives a power cut.
pub trait StateStore: Send {
    /// Keeps this state instead of the last one.
    fn write(&mut self, state: &[u8]) -> std::io::Result<()>;
}
