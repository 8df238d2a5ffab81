//! Each law.

use std::collections::HashMap;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderName, Method};
use secure_download_core::{CachePolicy, Download, FileKey, SignError, SignedUrl};

use super::{Laws, Url, grant};
use crate::law::{Verdict, ensure};
use crate::strategy::ODD_KEYS;

fn key(text: &str) -> Result<FileKey, String> {
    FileKey::parse(text).map_err(|error| format!("{text:?}: {error}"))
}

fn plain(laws: &Laws) -> Result<Download, String> {
    match &laws.plain {
        Some(plain) => Ok(plain.clone()),
        None => Ok(Download::new(key("laws/plain")?).filename("plain.png").content_type("image/png")),
    }
}

/// Downloads whose headers are hard to carry.
fn odd(laws: &Laws) -> Result<Vec<Download>, String> {
    let plain = plain(laws)?;
    let mut odd = vec![plain.clone().inline()];
    odd.push(plain.clone().cache(CachePolicy::Private { max_age: Duration::from_secs(60) }));
    for name in [
        "",
        "a b+c.png",
        "Röntgen 漢字 🙂.pdf",
        "a&response-content-type=text/html&b=.png",
        "a\r\nSet-Cookie: x=1.png",
        "a\"b;c=%22.png",
        "a#b?c.png",
        "\u{202e}gpj.exe",
        "a\0b",
    ] {
        odd.push(plain.clone().filename(name));
    }
    for content_type in
        ["", "text/html", "text/plain; charset=\"utf-8\"", "x/y\r\nz", "a&b=c/d", "image/svg+xml"]
    {
        odd.push(plain.clone().content_type(content_type));
    }
    Ok(odd)
}

fn parse(signed: &SignedUrl) -> Result<Url, String> {
    Url::parse(signed).map_err(|error| format!("no URL: {error}"))
}

pub(super) async fn carried(laws: &Laws) -> Verdict {
    let mut signed = 0;
    for download in odd(laws)?.into_iter().chain([plain(laws)?]) {
        let plan = grant(&download).await.plan().headers().clone();
        for method in [Method::GET, Method::HEAD] {
            let url = match laws.sign(&download, &method).await {
                Ok(url) => parse(&url).map_err(|seen| format!("{download:?}: {seen}"))?,
                Err(SignError::Inexpressible(_)) => continue,
                Err(error) => return Err(format!("{method} {download:?}: {error}")),
            };
            signed += 1;
            for name in [CONTENT_TYPE, CONTENT_DISPOSITION, CACHE_CONTROL] {
                if laws.stored.contains(&name) {
                    continue;
                }
                let value = plan.get(&name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                ensure!(
                    carries(laws, &url, &name, value),
                    "{method}: `{name}: {value}` of {:?} does not stand in {url:?}",
                    download.raw_filename()
                );
            }
        }
    }
    ensure!(signed > 0, "nothing at all is signed");
    Ok(())
}

fn carries(laws: &Laws, url: &Url, name: &HeaderName, value: &str) -> bool {
    (laws.carries)(url, name, value)
}

pub(super) async fn parameters(laws: &Laws) -> Verdict {
    let names = |url: &Url| {
        let mut names: Vec<String> = url.query().iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    };
    let usual = laws.sign(&plain(laws)?, &Method::GET).await.map_err(|error| error.to_string())?;
    let usual = names(&parse(&usual)?);
    ensure!(usual.windows(2).all(|pair| pair[0] != pair[1]), "a parameter stands twice: {usual:?}");
    for download in odd(laws)? {
        let Ok(url) = laws.sign(&download, &Method::GET).await else { continue };
        let found = names(&parse(&url)?);
        ensure!(
            found == usual,
            "{:?} has the parameters {found:?}, others {usual:?}",
            download.raw_filename()
        );
    }
    Ok(())
}

pub(super) async fn expiry(laws: &Laws) -> Verdict {
    let download = plain(laws)?;
    for lifetime in [1, 5, 60, 300, 3600, 604_800, 10_000_000].map(Duration::from_secs) {
        let signed = match laws.sign_for(&download, &Method::GET, lifetime).await {
            Ok(signed) => signed,
            // Longer than stores allow.
            Err(_) if lifetime > Duration::from_secs(300) => continue,
            Err(error) => return Err(format!("{lifetime:?}: {error}")),
        };
        let left = signed.expires_at().duration_since(laws.now).unwrap_or_default();
        ensure!(left <= lifetime, "asked for {lifetime:?}, it says {left:?}");
        ensure!(!left.is_zero(), "asked for {lifetime:?}, it ends at once");
        if let Some(end) = parse(&signed)?.ends() {
            let left = end.duration_since(laws.now).unwrap_or_default();
            ensure!(left <= lifetime, "asked for {lifetime:?}, the store would read {left:?}");
        }
    }
    for lifetime in [Duration::ZERO, Duration::from_millis(999)] {
        if let Ok(signed) = laws.sign_for(&download, &Method::GET, lifetime).await {
            let left = signed.expires_at().duration_since(laws.now).unwrap_or_default();
            ensure!(left <= lifetime, "asked for {lifetime:?}, it says {left:?}");
        }
    }
    Ok(())
}

pub(super) async fn keys(laws: &Laws) -> Verdict {
    let origin = laws.sign(&plain(laws)?, &Method::GET).await.map_err(|error| error.to_string())?;
    let origin = parse(&origin)?.origin().to_owned();
    let mut paths = HashMap::new();
    let long = format!("laws/{}", "é".repeat(500));
    for text in ODD_KEYS.into_iter().chain([long.as_str(), "@host/x", "a:80/x", "host@", ":@:"]) {
        let key = key(text)?;
        let must_decline = (laws.declines)(&key);
        let signed = match laws.sign(&Download::new(key), &Method::GET).await {
            Err(SignError::Inexpressible(_)) if must_decline => continue,
            Err(error) => return Err(format!("{text:?}: {error}")),
            Ok(_) if must_decline => return Err(format!("{text:?} is signed")),
            Ok(signed) => signed,
        };
        let url = parse(&signed).map_err(|seen| format!("{text:?}: {seen}"))?;
        ensure!(url.origin() == origin, "{text:?} leads to {:?}, others to {origin:?}", url.origin());
        if !laws.sealed {
            let path = url.decoded_path().map_err(|error| format!("{text:?}: {error}"))?;
            ensure!(path.ends_with(&format!("/{text}")), "{text:?} is signed as another key");
        }
        let changed = url.path().split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."));
        ensure!(!changed, "{text:?}: a client would change the path of the URL");
        if let Some(other) = paths.insert(url.path().to_owned(), text) {
            return Err(format!("{text:?} and {other:?} have one path"));
        }
    }
    Ok(())
}

pub(super) async fn volumes(laws: &Laws) -> Verdict {
    for volume in ["no-such-volume", "", "..", "a/b", "a\r\nb"] {
        let signed = laws.sign(&plain(laws)?.volume(volume), &Method::GET).await;
        // A sealed URL may name it: then the store that opens it decides.
        if !laws.sealed {
            ensure!(
                matches!(signed, Err(SignError::Inexpressible(_))),
                "a file of the volume {volume:?}, which nobody named, is signed"
            );
        }
    }
    Ok(())
}

pub(super) async fn versions(laws: &Laws) -> Verdict {
    // As GCS numbers them; others take any text.
    const VERSION: &str = "1700000000000001";
    match laws.sign(&plain(laws)?.version(VERSION), &Method::GET).await {
        Err(SignError::Inexpressible(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) if laws.sealed => Ok(()),
        Ok(signed) => {
            let url = parse(&signed)?;
            ensure!(
                url.query().iter().any(|(_, value)| value == VERSION),
                "the version {VERSION} does not stand in {url:?}"
            );
            Ok(())
        }
    }
}

/// What changes is covered: two URLs that differ in it differ in more than it.
pub(super) async fn covered(laws: &Laws) -> Verdict {
    let download = plain(laws)?;
    let url = |signed: Result<SignedUrl, SignError>| parse(&signed.map_err(|error| error.to_string())?);
    let base = url(laws.sign(&download, &Method::GET).await)?;
    let mut other = Download::new(key("laws/other")?);
    if laws.plain.is_none() {
        other = other.filename("plain.png").content_type("image/png");
    }
    let mut others = vec![
        ("the key", url(laws.sign(&other, &Method::GET).await)?),
        ("the lifetime", url(laws.sign_for(&download, &Method::GET, Duration::from_secs(59)).await)?),
    ];
    // With headers that are always the same, these are not signed: another law.
    if laws.plain.is_none() {
        let name = laws.sign(&download.clone().filename("other.png"), &Method::GET).await;
        let content_type = laws.sign(&download.clone().content_type("image/gif"), &Method::GET).await;
        others.extend([("the file name", url(name)?), ("the content type", url(content_type)?)]);
    }
    for (what, other) in &others {
        if laws.sealed {
            ensure!(other.path() != base.path() || other.query() != base.query(), "{what} changes nothing");
            continue;
        }
        let changed = base.query().iter().filter(|pair| !other.query().contains(pair)).count();
        // The key stands in the path, so one changed parameter is the signature.
        let least = if *what == "the key" { 1 } else { 2 };
        ensure!(changed >= least, "{what} is not covered: {changed} parameters change with it");
    }
    let head = url(laws.sign(&download, &Method::HEAD).await)?;
    if laws.methods_apart {
        ensure!(head != base, "a URL for GET is one for HEAD");
        // That it is named proves nothing: the signature must change with it.
        let named = |value: &str| value.eq_ignore_ascii_case("GET");
        let changed = base.query().iter().any(|pair| !head.query().contains(pair) && !named(&pair.1));
        ensure!(laws.sealed || changed, "the method is not covered");
    }
    Ok(())
}

pub(super) async fn secrets(laws: &Laws) -> Verdict {
    let mut told = laws.printed.clone();
    for download in odd(laws)?.into_iter().chain([
        plain(laws)?,
        plain(laws)?.volume("no-such-volume"),
        plain(laws)?.version("v1"),
    ]) {
        match laws.sign(&download, &Method::GET).await {
            Ok(signed) => {
                let shown = format!("{signed:?}");
                let path = parse(&signed)?.path().to_owned();
                ensure!(!shown.contains(&path), "Debug of a signed URL shows its path");
                told.extend([shown, signed.expose().to_owned()]);
            }
            Err(error) => {
                told.push(format!("{error:?}"));
                let mut cause: Option<&dyn std::error::Error> = Some(&error);
                while let Some(error) = cause {
                    told.push(error.to_string());
                    cause = error.source();
                }
            }
        }
    }
    for text in told {
        for secret in &laws.secrets {
            ensure!(!text.contains(secret.as_str()), "a secret stands in: {}", text.replace(secret, "***"));
        }
    }
    Ok(())
}
