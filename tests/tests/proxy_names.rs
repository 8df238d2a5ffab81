//! Odd names, through every proxy: exactly the right file, or none.

use std::collections::HashMap;

use http::StatusCode;
use secure_download::{Download, FileKey};
use system_tests::{ProxyServer, ProxySite};

/// Names that a key cannot be made of.
const REFUSED: [&[u8]; 7] =
    [b"a\\b", b"caf\xe9", b"new\nline", b"carriage\rreturn", b"tab\tname", b"control\x01", b"delete\x7f"];

/// All of them lie in one folder, each the decoy of others: decoded once more or less, cut at a `?`, trimmed.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "plain.txt",
        "a b",
        "a%20b",
        "a%2520b",
        "100%",
        "%",
        "%zz",
        "%00",
        "a%00",
        "a%0ab",
        "a%2fb",
        "a%41",
        "aA",
        "a?b",
        "a?b=c&d",
        "a#b",
        "a",
        "a&b",
        "a+b",
        "a\"b",
        "a'b",
        "a;b",
        "a:b",
        "é.txt",
        "漢字.txt",
        "🙂.png",
        ".hidden",
        "a{b}c",
        "{env.HOME}",
        "{http.request.uri}",
        "a[b]c",
        "a*b",
        "a<b>c",
        "a|b",
        "a^b",
        "$HOME",
        "a@b",
        "a,b",
        "a(b)c",
        "trailing ",
        "trailing",
        " leading",
        "leading",
        "dot.",
        "a..b",
        "...",
        "~a",
        "index.html",
        "sub/index.html",
        "sub/deep/x",
        "sub/é ?#%41",
        "\u{85}",
        "\u{feff}bom",
        "\u{202e}rtl",
        "\u{ffff}",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(255));
    names.push(format!("{}x", "é".repeat(127)));
    // The longest key there is: percent-encoded it is three times as long.
    names.push([&*"é".repeat(127), &*"漢".repeat(84), &*"é".repeat(127), &*"é".repeat(127)].join("/"));
    names
}

#[tokio::test]
async fn every_expressible_name_opens_its_own_file() {
    let names = names();
    for name in REFUSED {
        let refused = std::str::from_utf8(name).map_or(true, |name| FileKey::parse(name).is_err());
        assert!(refused, "{name:?}");
    }
    let contents: Vec<String> = names.iter().map(|name| format!("the file {name}")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(&contents).map(|(name, content)| (name.as_str(), content.as_bytes())).collect();
    let catalog = || -> HashMap<String, Download> {
        let downloads = names.iter().map(|name| Download::new(FileKey::parse(name).expect(name)));
        downloads.enumerate().map(|(index, download)| (index.to_string(), download)).collect()
    };
    for server in ProxyServer::ALL {
        let mut site = ProxySite::behind(server).catalog(catalog());
        for (name, content) in &files {
            site = site.file(name, content);
        }
        let site = site.start().await;
        for (index, (name, content)) in files.iter().enumerate() {
            let answer = site.get(&format!("/alone/{index}?query=x%20y")).await;
            assert_eq!(answer.status, StatusCode::OK, "{server:?} {name:?}");
            assert_eq!(answer.body, *content, "{server:?} {name:?}");
        }
    }
}

#[tokio::test]
async fn odd_folders_are_quoted() {
    let catalog = HashMap::from([("1".to_owned(), Download::new(FileKey::parse("a b").expect("a key")))]);
    for server in ProxyServer::ALL {
        for name in ["a b", "a\"b", "a'b;c#d", "é %41*[x]"] {
            let site = ProxySite::behind(server).folder(name).file("a b", b"right").catalog(catalog.clone());
            let answer = site.start().await.get("/alone/1").await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"right"[..]), "{server:?} {name}");
        }
    }
}
