//! Who gets nothing.

use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method};
use secure_download_core::{Authorizer, BoxError, Decision, Denial, RequestHead, Terms};
use secure_download_links::{LinkAuthorizer, LinkKey, LinkSigner, Links, MemoryLinkStore, NewLink};

use super::{SERVED, START, Scan, fields, key, one_time, seen, site};

#[tokio::test]
async fn a_link_is_worth_no_more_than_its_issuer() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    site.alice_may.store(false, Ordering::Relaxed);
    assert_eq!(site.get(&token, &mine).await.0, 404);
    site.alice_may.store(true, Ordering::Relaxed);
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);

    for (issuer, record) in [("bob", "scan"), ("deleted", "scan"), ("", "scan"), ("alice", "other")] {
        let token = site.mint(NewLink::one_time(record, Duration::from_secs(60)).issued_by(issuer)).await;
        let mine = site.redeem(&token).await.expect("a use");
        assert_eq!(site.get(&token, &mine).await.0, 404, "{issuer}: {record}");
    }
}

#[tokio::test]
async fn whoever_is_not_admitted_has_no_good_links_either() {
    struct Suspended;
    #[async_trait]
    impl Authorizer<String, Scan> for Suspended {
        async fn admits(&self, user: &String) -> Result<Decision, BoxError> {
            let slow = Terms::new().rate(NonZeroU64::new(1_000).expect("not zero")).attachment();
            Ok(if user == "suspended" {
                Decision::Deny(Denial::Forbidden)
            } else {
                Decision::AllowWith(slow)
            })
        }
        async fn authorize(&self, _: &String, _: &Scan) -> Result<Decision, BoxError> {
            Ok(Decision::AllowWith(Terms::new().inline()))
        }
    }
    let site = site();
    let find = |issuer: &str| {
        let user = issuer.to_owned();
        async move { Ok::<_, BoxError>(Some(user)) }
    };
    let authorizer = LinkAuthorizer::new(|scan: &Scan| scan.id.into(), Suspended, find);
    for (issuer, expected) in [
        ("suspended", Decision::Deny(Denial::Hidden)),
        (
            "alice",
            Decision::AllowWith(
                Terms::new().rate(NonZeroU64::new(1_000).expect("not zero")).attachment().limited_uses(),
            ),
        ),
    ] {
        let token = site.mint(NewLink::one_time("scan", Duration::from_secs(60)).issued_by(issuer)).await;
        let bearer = site.links.bearer(&token, &site.redeem(&token).await.expect("a use"));
        let decision = authorizer.authorize(&bearer, &Scan { id: "scan" }).await.expect("decided");
        assert_eq!(decision, expected, "{issuer}");
    }
}

#[tokio::test]
async fn a_lease_opens_its_own_link_and_record_only() {
    let site = site();
    let (first, second) = (site.mint(one_time()).await, site.mint(one_time()).await);
    let mine = site.redeem(&first).await.expect("a use");
    assert_eq!(site.get(&second, &mine).await.0, 404, "another link of the same record");
    let bearer = site.links.bearer(&first, &mine);
    assert!(bearer.is_some());
    let head = RequestHead::new(&Method::GET, &HeaderMap::new());
    assert_eq!(site.gate.serve(&bearer, "other", &head).await.status(), 404, "whatever id the app passes");
    assert_eq!(site.gate.serve(&bearer, "scan", &head).await.status(), 200);
    // Its issuer may see the other record too, and still the link does not open it.
    let find = |issuer: &str| {
        let user = issuer.to_owned();
        async move { Ok::<_, BoxError>(Some(user)) }
    };
    let everything = |_: &String, _: &Scan| Decision::Allow;
    let authorizer = LinkAuthorizer::new(|scan: &Scan| scan.id.into(), everything, find);
    for (id, opens) in [("scan", true), ("other", false), ("sca", false), ("scan2", false), ("", false)] {
        let decision = authorizer.authorize(&bearer, &Scan { id }).await.expect("decided");
        assert_eq!(matches!(decision, Decision::AllowWith(_)), opens, "{id}");
        assert_eq!(decision == Decision::Deny(Denial::Hidden), !opens, "{id}");
    }

    let both = format!("a=b; secure-download-lease=junk; {}; z", mine[COOKIE].to_str().expect("ASCII"));
    assert!(site.links.bearer(&first, &fields(&[("cookie", &both)])).is_some(), "among other cookies");
    for cookie in ["", "secure-download-lease", "secure-download-lease=", "secure-download-leasex=a"] {
        assert!(site.links.bearer(&first, &fields(&[("cookie", cookie)])).is_none(), "{cookie}");
    }
    let own_token = format!("secure-download-lease={first}");
    assert!(site.links.bearer(&first, &fields(&[("cookie", &own_token)])).is_none(), "a link is no lease");
}

#[tokio::test]
async fn other_cookies_cost_nobody_the_lease() {
    let site = site();
    let token = site.mint(one_time()).await;
    let lease = site.redeem(&token).await.expect("a use");
    let lease = lease[COOKIE].as_bytes();
    let others: [&[u8]; 8] = [
        "city=Île".as_bytes(),
        b"city=\xcele",
        b"\xff",
        b"secure-download-lease=\xff",
        b"secure-download-lease=junk",
        b"=; z; ;;",
        b"a=\"b",
        &[b'x'; 15_000],
    ];
    for other in others {
        let lines: [&[&[u8]]; 5] = [
            &[&[other, b"; ", lease].concat()],
            &[&[lease, b";", other].concat()],
            &[&[other, b"; ", lease, b"; ", other].concat()],
            &[other, lease],
            &[lease, other],
        ];
        for lines in lines {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line).expect("a value"));
            }
            assert_eq!(seen(&site.get(&token, &headers).await), SERVED, "{headers:?}");
        }
    }
}

/// Another site of the domain may plant a lease of the same link, signed and not ended, in front of the visitor's own.
#[tokio::test]
async fn a_planted_lease_costs_nobody_the_own() {
    let site = site();
    let token = site.mint(one_time()).await;
    let planted = site.redeem(&token).await.expect("a use");
    site.text.fails.store(true, Ordering::Relaxed);
    assert_eq!(site.get(&token, &planted).await.0, 502);
    site.text.fails.store(false, Ordering::Relaxed);
    // The use came back, and the planted lease with it: it is worth nothing once the visitor has redeemed.
    let own = site.redeem_once_given_back(&token).await;
    let (planted, own) = (planted[COOKIE].as_bytes(), own[COOKIE].as_bytes());
    assert_eq!(site.get(&token, &lines(&[planted])).await.0, 404);
    let secure = [b"__Secure-".as_slice(), planted].concat();
    for cookies in [
        &[&[planted, b"; ", own].concat()[..]][..],
        &[planted, own],
        &[own, planted],
        &[planted, planted, own],
        &[&secure, own],
    ] {
        let headers = lines(cookies);
        assert_eq!(site.ask(Method::HEAD, &token, &headers).await.status(), 200, "{headers:?}");
        assert_eq!(seen(&site.get(&token, &headers).await), SERVED, "{headers:?}");
    }
}

fn lines(cookies: &[&[u8]]) -> HeaderMap {
    cookies.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line).expect("a value"))).collect()
}

#[tokio::test]
async fn foreign_and_changed_tokens_are_refused_alike() {
    let site = site();
    let token = site.mint(one_time()).await;
    let foreign = [
        Links::new(LinkSigner::new("b", &key(1)), MemoryLinkStore::new(9)),
        Links::new(LinkSigner::new("a", &key(2)), MemoryLinkStore::new(9)),
        Links::new(
            LinkSigner::new("a", &LinkKey::new(1, "another secret of thirty-two bytes").expect("a key")),
            MemoryLinkStore::new(9),
        ),
        // Signed with our key, unknown to our store.
        Links::new(LinkSigner::new("a", &key(1)), MemoryLinkStore::new(9)),
    ];
    let mut tokens = vec![format!("{token}A"), token[1..].to_owned(), token.to_lowercase(), String::new()];
    for links in &foreign {
        tokens.push(links.mint(one_time()).await.expect("minted"));
    }
    for wrong in tokens {
        assert!(site.redeem(&wrong).await.is_none(), "{wrong}");
        assert_eq!(site.get(&wrong, &HeaderMap::new()).await.0, 404);
    }
    let rotated = Links::new(LinkSigner::new("a", &key(2)).also_verify(&key(1)), MemoryLinkStore::new(9));
    assert!(rotated.clock(|| UNIX_EPOCH + Duration::from_secs(START)).look(&token).is_some());
}

#[tokio::test]
async fn revoked_links_are_refused_at_once() {
    let site = site();
    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    site.links.revoke(site.links.look(&token).expect("good").id()).await.expect("revoked");
    assert_eq!(site.get(&token, &mine).await.0, 404);
    assert_eq!(site.ask(Method::HEAD, &token, &mine).await.status(), 404);

    let token = site.mint(one_time()).await;
    let mine = site.redeem(&token).await.expect("a use");
    assert_eq!(seen(&site.get(&token, &mine).await), SERVED);
    site.links.revoke_record("scan").await.expect("revoked");
    assert_eq!(site.get(&token, &mine).await.0, 404, "even one that was spent");
}
