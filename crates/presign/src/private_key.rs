//! Private keys in PEM.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
#[cfg(feature = "cloudfront")]
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64ct::{Base64, Encoding as _};
use secure_download_core::SignError;
use zeroize::Zeroizing;

/// A key that signs with SHA-256.
pub(crate) enum PrivateKey {
    Rsa(RsaKeyPair),
    #[cfg(feature = "cloudfront")]
    Ecdsa(EcdsaKeyPair),
}

impl PrivateKey {
    /// An RSA key in PEM, as PKCS#8 or PKCS#1.
    pub(crate) fn rsa(pem: &str) -> Option<Self> {
        let der = decode(pem)?;
        RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).ok().map(Self::Rsa)
    }

    /// An RSA key, or one of the curve P-256 as PKCS#8.
    #[cfg(feature = "cloudfront")]
    pub(crate) fn any(pem: &str) -> Option<Self> {
        Self::rsa(pem).or_else(|| {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &decode(pem)?).ok()?;
            Some(Self::Ecdsa(key))
        })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
            #[cfg(feature = "cloudfront")]
            Self::Ecdsa(key) => key.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
        }
        .map_err(|_| SignError::Failed("the private key did not sign".into()))
    }
}

/// The first block of a PEM text.
fn decode(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    Base64::decode_vec(&body).ok().map(Zeroizing::new)
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}
