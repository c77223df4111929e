//! The use cases of Tidegate over ports: async, and no AWS.

pub mod ports;
