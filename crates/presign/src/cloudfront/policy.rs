//! Canned and custom policies, and the URLs that carry them.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html>

use base64ct::{Base64, Encoding as _};

use crate::json;
use crate::timestamp::push_number;

/// Who may fetch what, until when.
pub(super) struct Policy<'a> {
    /// The whole URL.
    pub(super) resource: &'a str,
    pub(super) until: u64,
    /// With a network the policy is a custom one.
    pub(super) network: Option<&'a str>,
    /// Of custom policies only.
    pub(super) from: Option<u64>,
}

impl Policy<'_> {
    pub(super) fn json(&self) -> String {
        let mut text = String::from("{\"Statement\":[{\"Resource\":");
        json::push_string(&mut text, self.resource);
        text.push_str(",\"Condition\":{\"DateLessThan\":{\"AWS:EpochTime\":");
        push_number(&mut text, self.until);
        text.push('}');
        if let Some(network) = self.network {
            text.push_str(",\"IpAddress\":{\"AWS:SourceIp\":");
            json::push_string(&mut text, network);
            text.push('}');
        }
        if let Some(from) = self.from {
            text.push_str(",\"DateGreaterThan\":{\"AWS:EpochTime\":");
            push_number(&mut text, from);
            text.push('}');
        }
        text.push_str("}}]}");
        text
    }

    /// Appends the parameters of a signed URL to `url`. `hash` names the hash if it is not the default, SHA-1.
    pub(super) fn push_parameters(
        &self,
        url: &mut String,
        json: &str,
        signature: &[u8],
        key_id: &str,
        hash: Option<&str>,
    ) {
        url.push(if url.contains('?') { '&' } else { '?' });
        if self.network.is_none() && self.from.is_none() {
            url.push_str("Expires=");
            push_number(url, self.until);
        } else {
            url.push_str("Policy=");
            push_base64(url, json.as_bytes());
        }
        url.push_str("&Signature=");
        push_base64(url, signature);
        url.push_str("&Key-Pair-Id=");
        url.push_str(key_id);
        if let Some(hash) = hash {
            url.push_str("&Hash-Algorithm=");
            url.push_str(hash);
        }
    }
}

/// Base64 with CloudFront's replacements of what has a meaning in URLs.
fn push_base64(url: &mut String, bytes: &[u8]) {
    let text = Base64::encode_string(bytes);
    url.extend(text.chars().map(|c| match c {
        '+' => '-',
        '=' => '_',
        '/' => '~',
        other => other,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn botocores_policies_and_urls() {
        let vector: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/cloudfront.json")).expect("JSON");
        let canned = &vector["canned_policy"];
        let policy = Policy {
            resource: canned["resource"].as_str().expect("a text"),
            until: canned["expires"].as_u64().expect("a number"),
            network: None,
            from: None,
        };
        assert_eq!(policy.json(), canned["policy"].as_str().expect("a text"));

        for (name, case) in [("canned", &vector["canned_url"]), ("custom", &vector["custom"])] {
            let text = |name: &str| case[name].as_str();
            let number = |name: &str| case[name].as_u64();
            let policy = Policy {
                resource: text("resource").or(text("url")).expect("a text"),
                until: number("expires").or(number("date_less_than")).expect("a number"),
                network: text("ip"),
                from: number("date_greater_than"),
            };
            let mut url = text("url").expect("a text").to_owned();
            let signature = text("signature_bytes").expect("a text").as_bytes();
            policy.push_parameters(&mut url, &policy.json(), signature, "MY_KEY_ID", None);
            assert_eq!(Some(url.as_str()), text("expected"), "{name}");
        }
    }
}
