//! What another site learns of a file by opening it.

use http::StatusCode;

use super::{Demo, Visitor};

pub(super) async fn check(demo: &Demo) {
    let address = demo.address();
    let mut alice = Visitor::signed_in(address, "alice").await;
    let known = format!("/files/{}", alice.listed().await[0]);
    let mut bob = Visitor::signed_in(address, "bob").await;
    let mut nobody = Visitor::anonymous(address);
    let opened = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];

    let mut first = None;
    for target in
        [&known, &format!("{known}/scan.png"), &format!("{known}/share"), "/files/x", "/files/x/links"]
    {
        for visitor in [&mut alice, &mut bob, &mut nobody] {
            let mut page = visitor.ask("GET", target, &opened).await;
            assert_eq!(page.status, StatusCode::OK, "{target}");
            page.headers.remove("date");
            let first = first.get_or_insert_with(|| page.clone());
            assert_eq!((&page.headers, &page.body), (&first.headers, &first.body), "{target}");
        }
    }
    let clicked = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate"];
    let file = alice.ask("GET", &known, &clicked).await;
    let delivered = file.field("content-disposition").is_some() || file.status.is_redirection();
    assert!(delivered, "the click leads to the file: {}", file.status);
}
