//! The doctor with something in front of the site that answers in its place: a rate limiter, a login page, an error page.
//! None of them makes a broken row pass, or a right deployment broken.

use std::collections::BTreeMap;
use std::time::Duration;

use ProxyServer::{Apache, Caddy, Lighttpd, Nginx};
use secure_download::doctor::{DOCTOR_PATH, write_canaries};
use secure_download_cli::{Examination, Report, Verdict};
use system_tests::{Front, MISTAKES, ProxyServer, ProxySite, SiteBuilder, doctor_token, replaced};

async fn report_at(url: &str, token: &str) -> Report {
    let examination = Examination::new(url, token).expect("a URL").head_timeout(Duration::ZERO);
    tokio::task::spawn_blocking(move || examination.run()).await.expect("a report")
}

/// Rows by probe and root: whether each passed, and whether it is a fault.
fn rows(report: &Report) -> BTreeMap<(&'static str, Option<String>), (bool, bool)> {
    let rows = report.rows().iter().map(|row| {
        let found = (matches!(row.verdict, Verdict::Pass), matches!(row.verdict, Verdict::Faults { .. }));
        ((row.probe, row.root.clone()), found)
    });
    rows.collect()
}

/// Examines a site as it is, and behind layers that answer from some request on. The first report has at least one fault if
/// `broken`.
async fn compare(site: SiteBuilder, broken: bool, fronts: &[(Front, usize)], what: &str) {
    let site = site.start().await;
    write_canaries(site.media()).expect("written");
    let plain = report_at(&format!("http://{}", site.proxy()), &doctor_token(0)).await;
    assert_eq!(plain.faults().next().is_some(), broken, "{what}\n{plain}");
    let plain_rows = rows(&plain);
    for (number, &(front, passed)) in fronts.iter().enumerate() {
        // Ways around the application, which a layer before its own paths would hide, and all paths later on.
        let spares = move |path: &str| passed == 0 && path.starts_with(DOCTOR_PATH);
        let address = front.before(site.proxy(), passed, spares).await;
        let report = report_at(&format!("http://{address}"), &doctor_token(number + 1)).await;
        let what = format!("{what}, {front:?} after {passed} requests\n{report}\nwithout it:\n{plain}");
        assert!(!report.is_healthy(), "{what}");
        for (row, (passes, is_fault)) in rows(&report) {
            let (passed_before, was_fault) = plain_rows.get(&row).copied().unwrap_or_default();
            // A layer has connections of its own to the proxy.
            let mended = row.0 == "HEAD on a kept connection";
            assert!(mended || !(passes && was_fault), "{row:?} passes: {what}");
            assert!(!(is_fault && passed_before), "{row:?} is a false alarm: {what}");
        }
    }
}

#[tokio::test]
async fn no_broken_row_passes_behind_others() {
    // Another layer and another moment for each mistake, so that all of them meet all rows.
    let mut turn = 0;
    for (servers, from, to, _) in MISTAKES {
        for &server in *servers {
            let mut fronts = Vec::new();
            for passed in [0, 3 + turn % 7, 11 + turn % 23, 41 + turn % 13] {
                fronts.push((Front::ALL[turn % Front::ALL.len()], passed));
                turn += 1;
            }
            let what = format!("{server:?}: {from:?} replaced by {to:?}");
            compare(ProxySite::behind(server).broken(replaced(from, to)), true, &fronts, &what).await;
        }
    }
}

#[tokio::test]
async fn nothing_is_broken_by_others() {
    for server in [Nginx, Caddy, Apache, Lighttpd] {
        for passed in [0, 2, 9, 17, 26, 35, 48] {
            let fronts = Front::ALL.map(|front| (front, passed));
            compare(ProxySite::behind(server), false, &fronts, &format!("{server:?}")).await;
        }
    }
}

#[tokio::test]
async fn whoever_answers_first_is_named() {
    let site = ProxySite::behind(Nginx).start().await;
    for (front, fault) in [
        (Front::RateLimiter, "rate-limiter"),
        (Front::RateLimiterOfNginx, "rate-limiter"),
        // So do Apache and lighttpd answer whose application does not run.
        (Front::RateLimiterOfNginx, "error-page"),
        (Front::LoginRedirect, "login-page"),
        (Front::LoginPage, "login-page"),
        (Front::BadGateway, "error-page"),
    ] {
        let address = front.before(site.proxy(), 0, |_| false).await;
        let report = report_at(&format!("http://{address}"), &doctor_token(0)).await;
        assert!(report.faults().any(|found| found.id == fault), "{front:?}\n{report}");
    }
    write_canaries(site.media()).expect("written");
    for (number, (front, name)) in [
        (Front::RateLimiter, "a rate limiter answered: 429"),
        (Front::LoginRedirect, "a login page answered: 302"),
        (Front::LoginPage, "a login page answered: 200"),
        (Front::BadGateway, "an error page answered: 502"),
        (Front::PageForEveryPath, "another page answered: 200"),
    ]
    .into_iter()
    .enumerate()
    {
        let address = front.before(site.proxy(), 1, |_| false).await;
        let report = report_at(&format!("http://{address}"), &doctor_token(number)).await;
        let text = report.to_string();
        assert!(report.has_unknown() && report.faults().next().is_none(), "{report}");
        assert!(text.contains(name) && !text.contains("No fault"), "{name}\n{text}");
    }
}
