//! Keys of any text: what is accepted stays beneath its root, unchanged.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use secure_download_core::FileKey;

fuzz_target!(|text: &str| {
    let Ok(key) = FileKey::parse(text) else {
        // Nothing harmless is refused.
        let harmless = !text.is_empty()
            && text.len() <= 1024
            && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\')
            && text.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != "..");
        assert!(!harmless, "{text:?}");
        return;
    };
    assert_eq!(key.as_str(), text);
    assert!(text.len() <= 1024 && !text.contains(['\0', '\\', '\r', '\n']));
    let path = Path::new(text);
    assert!(path.is_relative());
    assert!(path.components().all(|component| matches!(component, Component::Normal(_))), "{text:?}");
    // Joined to a root, it is below: as many components as it has segments.
    let joined = Path::new("/root/of/all").join(path);
    assert!(joined.starts_with("/root/of/all"));
    assert_eq!(joined.components().count(), 4 + key.segments().count());
});
