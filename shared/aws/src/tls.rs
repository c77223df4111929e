//! How every client of a function does TLS: on ring, trusting Mozilla's roots.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// The roots are data of the program: reading the system's would be some 300 files at each start.
pub(crate) fn config() -> ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
