//! The proof that a request came through the proxy.

use http::{HeaderMap, HeaderValue, Method};
use secure_download_core::{Delivery, PROXY_PROOF};

use super::samples::PLAIN;
use super::{Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site;

/// Whoever asks without it, past the proxy, must not learn where the proxy finds the file.
pub(super) async fn proven(laws: &Laws, proof: &HeaderValue) -> Verdict {
    let plain = sample(PLAIN)?.download();
    let site = laws.site(plain.clone());
    let text = proof.as_bytes();
    let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).map_err(|error| error.to_string());
    let (most, last) = text.split_at(text.len().saturating_sub(1));
    let other_case: Vec<u8> =
        text.iter()
            .map(|byte| {
                if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() }
            })
            .collect();
    let mut attempts = vec![
        ("no proof", vec![]),
        ("an empty proof", vec![value(b"")?]),
        ("the proof twice", vec![proof.clone(), proof.clone()]),
        ("the proof and another", vec![proof.clone(), value(b"another")?]),
        ("another and the proof", vec![value(b"another")?, proof.clone()]),
        ("another", vec![value(b"another")?]),
        ("all of the proof but its last byte", vec![value(most)?]),
        ("the proof and a byte more", vec![value(&[text, b"0"].concat())?]),
        ("the proof and another in a list", vec![value(&[text, b", another"].concat())?]),
        ("another last byte", vec![value(&[most, if last == b"0" { b"1" } else { b"0" }].concat())?]),
    ];
    if other_case != text {
        attempts.push(("the proof in the other case", vec![value(&other_case)?]));
    }
    for (what, lines) in attempts {
        let mut fields: HeaderMap = laws.request.clone();
        fields.remove(PROXY_PROOF);
        for line in lines {
            fields.append(PROXY_PROOF, line);
        }
        for method in [Method::GET, Method::HEAD] {
            let answer = site.get(&plain, &site::head(&method, &fields, &[])).await;
            laws.saw(&answer);
            ensure!(answer.delivery != Some(Delivery::HandedOff), "{method} with {what} is handed off");
            let target = answer.extra().find(|(_, value)| value.is_sensitive()).map(|(name, _)| name);
            ensure!(target.is_none(), "{method} with {what} is answered with {target:?}");
        }
    }
    laws.logged(&site);
    Ok(())
}
