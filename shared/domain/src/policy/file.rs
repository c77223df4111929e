//! policies.yaml
