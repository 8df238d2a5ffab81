//! Tokens of links: any text is refused, and so is every token that was changed.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use secure_download_links::{LinkKey, LinkSigner, Links, MemoryLinkStore, NewLink};

#[derive(Debug, Arbitrary)]
enum Input {
    Text(String),
    /// Bytes of a good token that are exchanged.
    Changed(Vec<(u16, u8)>),
    Cut(u16),
    Inserted(u16, char),
}

static LINKS: LazyLock<(Links, String)> = LazyLock::new(|| {
    let secret: Vec<u8> = (0..32).collect();
    let signer = LinkSigner::new("fuzz", &LinkKey::new(1, secret).expect("a key"));
    let links = Links::new(signer, MemoryLinkStore::new(10));
    let token = block_on(links.mint(NewLink::one_time("record", Duration::from_secs(1_000_000)).issued_by("issuer"))).expect("minted");
    (links, token)
});

fuzz_target!(|input: Input| {
    let (links, token) = &*LINKS;
    assert!(links.look(token).is_some());
    let changed = match input {
        Input::Text(text) => text,
        Input::Changed(changes) => {
            let mut bytes = token.clone().into_bytes();
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte & 0x7f;
            }
            String::from_utf8(bytes).expect("ASCII")
        }
        Input::Cut(at) => token[..usize::from(at) % token.len()].to_owned(),
        Input::Inserted(at, c) => {
            let mut text = token.clone();
            text.insert(usize::from(at) % (token.len() + 1), c);
            text
        }
    };
    if changed != *token {
        assert!(links.look(&changed).is_none(), "{changed:?} is taken for {token:?}");
        let headers = http::HeaderMap::new();
        assert!(links.bearer(&changed, &headers).is_none());
    }
});
