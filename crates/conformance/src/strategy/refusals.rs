//! What a client learns that gets nothing.

use std::sync::Arc;

use http::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RANGE,
};
use http::{Method, StatusCode};
use secure_download_core::{DeliveryStrategy, Download, FileKey};

use super::samples::{MISSING, PLAIN};
use super::{Laws, sample};
use crate::law::{Verdict, ensure};
use crate::site::{Answer, Site, User};

/// Requests that somebody who must not know may try.
fn attempts(laws: &Laws) -> Vec<secure_download_core::RequestHead> {
    let mut attempts = Vec::new();
    for method in [Method::GET, Method::HEAD] {
        for fields in [
            &[][..],
            &[(RANGE, "bytes=0-0")],
            &[(RANGE, "bytes=0-0,2-2")],
            &[(IF_NONE_MATCH, "*")],
            &[(IF_MATCH, "*")],
            &[(IF_MATCH, "\"x\"")],
            &[(ACCEPT, "application/json")],
        ] {
            attempts.push(laws.head(&method, fields));
        }
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
        if let Ok(method) = Method::from_bytes(method.as_bytes()) {
            attempts.push(laws.head(&method, &[]));
        }
    }
    attempts
}

pub(super) async fn unasked(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    for head in attempts(laws) {
        for (who, id) in [
            (Some(User::Bob), "known"),
            (Some(User::Bob), "none"),
            (None, "known"),
            (Some(User::Alice), "none"),
        ] {
            let answer = site.ask(who, id, &head).await;
            laws.saw(&answer);
            ensure!(site.calls() == 0, "{who:?} asked for `{id}` with {head:?}, and the strategy was called");
            ensure!(
                answer.status.is_client_error() || answer.status.is_server_error(),
                "{who:?} asked for `{id}` with {head:?} and got {}",
                answer.status
            );
        }
    }
    laws.logged(&site);
    Ok(())
}

pub(super) async fn uniform(laws: &Laws) -> Verdict {
    let site = laws.site(sample(PLAIN)?.download());
    for head in attempts(laws) {
        for who in [Some(User::Bob), None] {
            let hidden = site.ask(who, "known", &head).await;
            let absent = site.ask(who, "none", &head).await;
            ensure!(
                hidden.bytes() == absent.bytes(),
                "{who:?} can tell a hidden file from none with {head:?}: {hidden:?}, {absent:?}"
            );
            nothing_of_the_file(&hidden)?;
        }
    }
    Ok(())
}

/// No field of a refusal describes a file or says where one is.
fn nothing_of_the_file(answer: &Answer) -> Verdict {
    for name in [CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, LAST_MODIFIED, LOCATION] {
        ensure!(!answer.headers.contains_key(&name), "{} carries {name}", answer.status);
    }
    let hidden = answer.headers.iter().find(|(_, value)| value.is_sensitive());
    ensure!(hidden.is_none(), "{} carries {:?}", answer.status, hidden.map(|(name, _)| name));
    Ok(())
}

pub(super) async fn missing(laws: &Laws) -> Verdict {
    let key = FileKey::parse(MISSING).map_err(|error| error.to_string())?;
    let site = laws.site(Download::new(key.clone()).filename("secret-name.bin"));
    for head in attempts(laws) {
        let missing = site.ask(Some(User::Alice), "known", &head).await;
        let unknown = site.ask(Some(User::Alice), "none", &head).await;
        laws.saw(&missing);
        ensure!(
            missing.bytes() == unknown.bytes(),
            "with {head:?} a file that is gone is answered {missing:?}, an unknown id {unknown:?}"
        );
    }
    laws.logged(&site);
    Ok(())
}

pub(super) async fn failing(laws: &Laws, failing: &Arc<dyn DeliveryStrategy>) -> Verdict {
    let file = sample(PLAIN)?;
    let site = Site::new(Arc::clone(failing), file.download());
    for method in [Method::GET, Method::HEAD] {
        let answer = site.ask(Some(User::Alice), "known", &laws.head(&method, &[])).await;
        laws.saw(&answer);
        if answer.status.is_success() {
            // The head had left when storage failed.
            ensure!(
                answer.broke_off.is_some(),
                "{method} is answered {} as if nothing had failed",
                answer.status
            );
            continue;
        }
        ensure!(
            answer.status.is_server_error() || answer.status == StatusCode::NOT_FOUND,
            "a failure shows as {}",
            answer.status
        );
        nothing_of_the_file(&answer)?;
        let page = if method == Method::HEAD { String::new() } else { format!("{}\n", answer.status) };
        ensure!(answer.body == page, "a failure shows more than its status: {:?}", answer.body);
    }
    laws.logged(&site);
    Ok(())
}
