//! [`Trust`]: the certificate authorities that the doctor accepts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// The system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and those of files that the command names.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    certificates: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Reads the system's authorities and each of `files` (PEM).
    pub(super) fn load(files: &[PathBuf]) -> Result<Self, String> {
        // Some systems keep a few certificates that cannot be read beside many that can.
        let loaded = rustls_native_certs::load_native_certs();
        let mut certificates = loaded.certs;
        let named =
            ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| std::env::var_os(name).is_some());
        if let (Some(name), true) = (named, certificates.is_empty() && files.is_empty()) {
            let why = loaded.errors.first().map_or_else(|| "it is empty".to_owned(), ToString::to_string);
            return Err(format!("{name} leads to no certificate: {why}; name a PEM file, or unset it"));
        }
        for file in files {
            certificates.extend(read(file)?);
        }
        Ok(Self { certificates })
    }

    pub(super) fn for_requests(&self) -> ureq::tls::TlsConfig {
        let certificates = self.certificates.iter();
        let certificates =
            certificates.map(|certificate| ureq::tls::Certificate::from_der(certificate).to_owned());
        let roots = ureq::tls::RootCerts::Specific(Arc::new(certificates.collect()));
        ureq::tls::TlsConfig::builder().root_certs(roots).build()
    }

    /// The client's side of one connection to `host`, in HTTP/1.1.
    pub(super) fn connection(&self, host: &str) -> Result<ClientConnection, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config =
            config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())
    }
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = rustls_native_certs::load_certs_from_paths(Some(file), None);
    if let Some(error) = read.errors.first() {
        return Err(format!("cannot read certificates from {}: {error}", file.display()));
    }
    if read.certs.is_empty() {
        return Err(format!("{} contains no certificate: give a PEM file", file.display()));
    }
    Ok(read.certs)
}
