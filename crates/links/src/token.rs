//! [`LinkSigner`]: tokens that nobody else can make.
//!
//! ```text
//! link  = version(1) key(4) link(16) expires(8) uses(4) length(2) record length(2) issuer mac(32)
//! lease = version(1) key(4) link(16) lease(16) ends(8) mac(32)
//! mac   = HMAC-SHA256(secret, "secure-download/links/v1" purpose(1) length(4) audience, everything before it)
//! ```
//!
//! Numbers are big-endian, the whole is letters and digits ([`base62`](crate::base62)). Tokens of version 1 are base64url without
//! padding (RFC 4648 section 5): chats and mail programs cut a `_` or `-` off their ends. They stay good. The purpose keeps a lease from
//! passing for a link, the audience one application's tokens from another's that shares the secret.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::base62;
use crate::claims::{LONGEST_TEXT, LinkClaims, LinkId};
use crate::key::LinkKey;

const VERSION: u8 = 2;
/// The version of tokens in base64url. Such a token begins with `A`, and one of the current version with `0`.
const BASE64_VERSION: u8 = 1;
const MAC_LEN: usize = 32;

/// The longest token in bytes: two texts, their lengths and the fixed fields.
const LONGEST: usize = 69 + 2 * LONGEST_TEXT;

/// What a token is for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Link = 1,
    Lease = 2,
}

/// A key, with the part of the MAC that is the same for every token already computed.
#[derive(Clone)]
struct Prepared {
    id: u32,
    link: Hmac<Sha256>,
    lease: Hmac<Sha256>,
}

impl Prepared {
    fn new(key: &LinkKey, audience: &str) -> Self {
        let begin = |purpose: Purpose| {
            // HMAC takes keys of any length; `LinkKey` has refused the short ones.
            let mut mac = Hmac::<Sha256>::new_from_slice(key.secret()).unwrap_or_else(|_| unreachable!());
            mac.update(b"secure-download/links/v1");
            mac.update(&[purpose as u8]);
            mac.update(&u32::try_from(audience.len()).unwrap_or(u32::MAX).to_be_bytes());
            mac.update(audience.as_bytes());
            mac
        };
        Self { id: key.id(), link: begin(Purpose::Link), lease: begin(Purpose::Lease) }
    }

    fn mac(&self, purpose: Purpose) -> Hmac<Sha256> {
        match purpose {
            Purpose::Link => self.link.clone(),
            Purpose::Lease => self.lease.clone(),
        }
    }
}

/// Signs and verifies tokens: 0.4 µs and 0.5 µs, and 0.4 µs to refuse a changed one (`cargo bench -p benches --bench
/// links`, on one of two shared cores).
///
/// ```
/// use secure_download_links::{LinkKey, LinkSigner};
///
/// # fn run() -> Result<(), secure_download_links::WeakKey> {
/// let signer = LinkSigner::new("files.example", &LinkKey::new(2, "the new one, 32 random bytes long")?)
///     // Links signed before the key was changed stay good.
///     .also_verify(&LinkKey::new(1, "the old one, 32 random bytes long")?);
/// # let _ = signer; Ok(()) }
/// # run().unwrap();
/// ```
#[derive(Clone)]
pub struct LinkSigner {
    audience: String,
    current: Prepared,
    earlier: Vec<Prepared>,
}

impl LinkSigner {
    /// Signs with `key` for `audience`, the name of this application: tokens of another are refused even if it has the same
    /// key.
    #[must_use]
    pub fn new(audience: impl Into<String>, key: &LinkKey) -> Self {
        let audience = audience.into();
        let current = Prepared::new(key, &audience);
        Self { audience, current, earlier: Vec::new() }
    }

    /// Also takes tokens that were signed with an earlier key. Drop it once they have expired.
    #[must_use]
    pub fn also_verify(mut self, key: &LinkKey) -> Self {
        self.earlier.push(Prepared::new(key, &self.audience));
        self
    }

    /// The token that says so. [`Links::mint`](crate::Links::mint) makes links; this only writes one down again.
    #[must_use]
    pub fn sign(&self, claims: &LinkClaims) -> String {
        let mut token = self.begin(claims.id);
        token.extend(claims.expires_at.to_be_bytes());
        token.extend(claims.uses.map_or(0, NonZeroU32::get).to_be_bytes());
        for text in [&claims.record, &claims.issuer] {
            token.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
            token.extend(text.as_bytes());
        }
        self.finish(Purpose::Link, token)
    }

    /// The token of one lease.
    pub(crate) fn lease(&self, lease: &LeaseClaims) -> String {
        let mut token = self.begin(lease.link);
        token.extend(lease.lease.as_bytes());
        token.extend(lease.ends.to_be_bytes());
        self.finish(Purpose::Lease, token)
    }

    /// What a link's token says, **expired or not, spent or not**; `None` if it is not one of ours.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<LinkClaims> {
        let mut room = [0; LONGEST];
        let mut rest = self.opened(Purpose::Link, token, &mut room)?;
        let id = LinkId::from_bytes(rest.array()?);
        let expires_at = u64::from_be_bytes(rest.array()?);
        let uses = NonZeroU32::new(u32::from_be_bytes(rest.array()?));
        let (record, issuer) = (rest.text()?, rest.text()?);
        rest.end()?;
        Some(LinkClaims { id, record, issuer, uses, expires_at })
    }

    /// What a lease's token says, ended or not.
    pub(crate) fn read_lease(&self, token: &str) -> Option<LeaseClaims> {
        let mut room = [0; LONGEST];
        let mut rest = self.opened(Purpose::Lease, token, &mut room)?;
        let link = LinkId::from_bytes(rest.array()?);
        let lease = LinkId::from_bytes(rest.array()?);
        let ends = u64::from_be_bytes(rest.array()?);
        rest.end()?;
        Some(LeaseClaims { link, lease, ends })
    }

    fn begin(&self, link: LinkId) -> Vec<u8> {
        let mut token = Vec::with_capacity(192);
        token.push(VERSION);
        token.extend(self.current.id.to_be_bytes());
        token.extend(link.as_bytes());
        token
    }

    fn finish(&self, purpose: Purpose, mut token: Vec<u8>) -> String {
        let mac = self.current.mac(purpose).chain_update(&token).finalize().into_bytes();
        token.extend_from_slice(&mac);
        base62::encode(&token)
    }

    /// What stands between the version and key, and the MAC, all of which are right.
    fn opened<'a>(&self, purpose: Purpose, token: &str, room: &'a mut [u8; LONGEST]) -> Option<Fields<'a>> {
        let (length, expected) = if token.starts_with('A') {
            (URL_SAFE_NO_PAD.decode_slice(token, room).ok()?, BASE64_VERSION)
        } else {
            (base62::decode(token, room)?, VERSION)
        };
        let (signed, mac) = room[..length].split_at(length.checked_sub(MAC_LEN)?);
        let mut rest = Fields(signed);
        let [version] = rest.array()?;
        let key = u32::from_be_bytes(rest.array()?);
        if version != expected {
            return None;
        }
        let keys = std::iter::once(&self.current).chain(&self.earlier);
        let right = keys
            .filter(|known| known.id == key)
            // In constant time, as `verify_slice` compares.
            .any(|known| known.mac(purpose).chain_update(signed).verify_slice(mac).is_ok());
        right.then_some(rest)
    }
}

impl fmt::Debug for LinkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = std::iter::once(&self.current).chain(&self.earlier).map(|key| key.id);
        f.debug_struct("LinkSigner")
            .field("audience", &self.audience)
            .field("keys", &keys.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What a lease says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseClaims {
    pub(crate) link: LinkId,
    pub(crate) lease: LinkId,
    /// Seconds since 1970.
    pub(crate) ends: u64,
}

/// What is left to read of a token.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(audience: &str, id: u32, secret: u8) -> LinkSigner {
        LinkSigner::new(audience, &key(id, secret))
    }

    fn key(id: u32, secret: u8) -> LinkKey {
        LinkKey::new(id, [[secret; 16], [0; 16]].concat()).expect("a key")
    }

    fn claims() -> LinkClaims {
        LinkClaims {
            id: LinkId::from_bytes([9; 16]),
            record: "6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee".to_owned(),
            issuer: "älice".to_owned(),
            uses: NonZeroU32::new(3),
            expires_at: 1_800_000_000,
        }
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let signer = signer("a", 1, 1);
        for claims in [claims(), LinkClaims { uses: None, issuer: String::new(), ..claims() }] {
            let token = signer.sign(&claims);
            // No character that a program takes for the end of a URL, or for markup.
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
            assert_eq!(signer.verify(&token), Some(claims));
        }
        let lease =
            LeaseClaims { link: claims().id, lease: LinkId::from_bytes([7; 16]), ends: 1_800_000_001 };
        assert_eq!(signer.read_lease(&signer.lease(&lease)), Some(lease));
    }

    #[test]
    fn tokens_of_the_first_version_stay_good() {
        let signer = signer("a", 1, 1);
        let link = "AQAAAAEJCQkJCQkJCQkJCQkJCQkJAAAAAGtJ0gAAAAADACQ2ZjFmNGJkNC01NGRkLTRkNTEtOWYzMy1kNGIzYzhkNWExZWUABsOkbGljZYREoQkG_s6Dcq_HlTF79kXLNfQWHcNgiB7kIgbZ7oec";
        let lease = "AQAAAAEJCQkJCQkJCQkJCQkJCQkJBwcHBwcHBwcHBwcHBwcHBwAAAABrSdIBrkuHwBnqV4iaHQvLfLsuyc-4iN7vrIjcLQe8qYbQvzg";
        assert_eq!(signer.verify(link), Some(claims()));
        let expected =
            LeaseClaims { link: claims().id, lease: LinkId::from_bytes([7; 16]), ends: 1_800_000_001 };
        assert_eq!(signer.read_lease(lease), Some(expected));
        // Each version has one spelling.
        let mut room = [0; LONGEST];
        let length = base62::decode(&signer.sign(&claims()), &mut room).expect("base62");
        assert_eq!(signer.verify(&URL_SAFE_NO_PAD.encode(&room[..length])), None);
        let bytes = URL_SAFE_NO_PAD.decode(link).expect("base64");
        assert_eq!(signer.verify(&base62::encode(&bytes)), None);
    }

    #[test]
    fn whatever_is_not_exactly_ours_is_refused() {
        let ours = signer("a", 2, 2).also_verify(&key(1, 1));
        let token = signer("a", 1, 1).sign(&claims());
        assert!(ours.verify(&token).is_some(), "signed before the key changed");
        for (why, other) in [
            ("another audience", signer("b", 1, 1)),
            ("another secret under a known id", signer("a", 1, 3)),
            ("an unknown key", signer("a", 3, 3)),
            ("a known secret under another id", signer("a", 3, 1)),
            ("an audience that runs on", signer("a\0", 1, 1)),
        ] {
            assert_eq!(ours.verify(&other.sign(&claims())), None, "{why}");
        }
        let lease = LeaseClaims { link: claims().id, lease: claims().id, ends: u64::MAX };
        assert_eq!(ours.verify(&ours.lease(&lease)), None, "a lease is no link");
        // As long as a lease, byte for byte one but for the purpose: 8 bytes of texts.
        let short = LinkClaims { record: "1234567".to_owned(), issuer: "8".to_owned(), ..claims() };
        assert_eq!(ours.sign(&short).len(), ours.lease(&lease).len());
        for link in [claims(), short] {
            assert_eq!(ours.read_lease(&ours.sign(&link)), None, "a link is no lease");
        }
        for wrong in [
            "",
            "A",
            "AQ",
            "0",
            "00",
            "....",
            &format!("{token}="),
            &format!("{token}A"),
            &"A".repeat(2 * LONGEST),
        ] {
            assert_eq!(ours.verify(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_signed_but_not_of_this_form_is_refused() {
        let ours = signer("a", 1, 1);
        let signed = |purpose, change: fn(&mut Vec<u8>)| {
            let token = match purpose {
                Purpose::Link => ours.sign(&claims()),
                Purpose::Lease => {
                    ours.lease(&LeaseClaims { link: claims().id, lease: claims().id, ends: u64::MAX })
                }
            };
            let mut bytes = vec![0; LONGEST];
            let length = base62::decode(&token, &mut bytes).expect("base62");
            bytes.truncate(length - MAC_LEN);
            change(&mut bytes);
            ours.finish(purpose, bytes)
        };
        type Change = fn(&mut Vec<u8>);
        let changes: [(&str, Change, bool); 6] = [
            ("as it is", |_| {}, true),
            ("no version", |bytes| bytes[0] = 0, false),
            ("an earlier version", |bytes| bytes[0] = 1, false),
            ("a later version", |bytes| bytes[0] = 3, false),
            ("trailing bytes", |bytes| bytes.push(0), false),
            ("cut", |bytes| bytes.truncate(bytes.len() - 1), false),
        ];
        for (why, change, good) in changes {
            assert_eq!(ours.verify(&signed(Purpose::Link, change)).is_some(), good, "{why}");
            assert_eq!(ours.read_lease(&signed(Purpose::Lease, change)).is_some(), good, "{why}");
        }
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let signer = signer("a", 1, 1);
        let token = signer.sign(&claims());
        for position in 0..token.len() {
            for other in ['A', 'B', '_', '='] {
                let mut changed = token.clone();
                changed.replace_range(position..=position, other.encode_utf8(&mut [0; 4]));
                if changed != token {
                    assert_eq!(signer.verify(&changed), None, "at {position}");
                }
            }
            assert_eq!(signer.verify(&token[..position]), None, "cut at {position}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", signer("a", 1, 0x5a), key(1, 0x5a));
        assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,200}|[A-Za-z0-9_-]{0,400}") {
            proptest::prop_assert_eq!(signer("a", 1, 1).verify(&text), None);
        }
    }
}
