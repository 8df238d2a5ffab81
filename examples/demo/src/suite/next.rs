//! Back to the file after signing in.

use http::StatusCode;

use super::{Demo, Visitor};

pub(super) async fn check(demo: &Demo) {
    let address = demo.address();
    let id = Visitor::signed_in(address, "alice").await.listed().await.swap_remove(0);
    for target in
        [format!("/files/{id}"), format!("/files/{id}?inline=1"), format!("/files/{id}/a%20b%25.txt")]
    {
        let mut visitor = Visitor::anonymous(address);
        let refused = visitor.get(&target).await;
        let link = attribute(&refused.body, "href=\"/login");
        let page = visitor.get(&link).await;
        let next = attribute(&page.body, "name=\"next\" value=\"");
        let form = |password| [("username", "alice"), ("password", password), ("next", &*next)];
        let wrong = visitor.post("/login", &form("wrong")).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        assert_eq!(attribute(&wrong.body, "name=\"next\" value=\""), next, "the way back stays");
        let welcome = visitor.post("/login", &form("alice")).await;
        assert_eq!((welcome.status, welcome.field("location")), (StatusCode::SEE_OTHER, Some(&*target)));
        assert_eq!(visitor.get(&target).await.status, StatusCode::OK);
    }
    for next in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/%2f/evil.example",
        "/%5cevil.example",
        "/%0d%0aSet-Cookie:%20a=b",
        "/\r\nSet-Cookie: a=b",
        "/%252f%252fevil.example",
        "evil.example",
        "",
    ] {
        let mut visitor = Visitor::anonymous(address);
        let form = [("username", "alice"), ("password", "alice"), ("next", next)];
        let welcome = visitor.post("/login", &form).await;
        assert_eq!(
            (welcome.status, welcome.field("location")),
            (StatusCode::SEE_OTHER, Some("/")),
            "{next:?}"
        );
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let page = visitor.get(&format!("/login?{query}")).await;
        assert!(!String::from_utf8_lossy(&page.body).contains("name=\"next\""), "{next:?}");
    }
}

/// The value of the first attribute that begins so. A beginning that ends within a value belongs to it.
fn attribute(page: &[u8], beginning: &str) -> String {
    let page = String::from_utf8_lossy(page);
    let start = page.find(beginning).unwrap_or_else(|| panic!("{beginning}: {page}"));
    let (_, value_begins) = beginning.rsplit_once('"').expect("a quote");
    let rest = &page[start + beginning.len()..];
    let rest = rest.split('"').next().expect("a value");
    format!("{value_begins}{rest}").replace("&#38;", "&")
}
