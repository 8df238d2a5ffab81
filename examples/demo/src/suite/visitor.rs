//! [`Visitor`]: somebody with a browser, as far as HTTP is concerned.

use std::net::SocketAddr;

use http::StatusCode;
use system_tests::{Answer, Http1};

/// A visitor with cookies of their own. Every request is one connection.
#[derive(Debug, Clone)]
pub struct Visitor {
    address: SocketAddr,
    cookies: Vec<(String, String)>,
}

/// A file to upload.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// As it stands in the form, quotes as `%22`.
    pub name: &'a str,
    /// The content.
    pub content: &'a [u8],
}

/// Nobody's content holds it.
pub(super) const BOUNDARY: &str = "----the-end-of-a-part-1b87f3";

impl Visitor {
    /// Somebody who is not signed in.
    #[must_use]
    pub fn anonymous(address: SocketAddr) -> Self {
        Self { address, cookies: Vec::new() }
    }

    /// Somebody whose password is the name, as the sample users' are.
    pub async fn signed_in(address: SocketAddr, name: &str) -> Self {
        let mut visitor = Self::anonymous(address);
        let answer = visitor.post("/login", &[("username", name), ("password", name)]).await;
        assert_eq!((answer.status, answer.field("location")), (StatusCode::SEE_OTHER, Some("/")));
        visitor
    }

    /// A request with extra fields and no body.
    pub async fn ask(&mut self, method: &str, target: &str, fields: &[&str]) -> Answer {
        let mut connection = Http1::connect(self.address).await;
        let fields = self.with_cookies(fields);
        connection.send(method, target, &fields).await;
        let answer = connection.receive(method).await;
        self.keep_cookies(&answer);
        answer
    }

    /// A plain GET.
    pub async fn get(&mut self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    /// A request with a body.
    pub async fn send(&mut self, target: &str, fields: &[&str], body: &[u8]) -> Answer {
        let mut connection = Http1::connect(self.address).await;
        let fields = self.with_cookies(fields);
        connection.send_with_body("POST", target, &fields, body).await;
        let answer = connection.receive("POST").await;
        self.keep_cookies(&answer);
        answer
    }

    /// Sends a short form.
    pub async fn post(&mut self, target: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(target, &["Content-Type: application/x-www-form-urlencoded"], body.as_bytes()).await
    }

    /// Uploads, and returns the id under which the file is listed then: the first in the list.
    pub async fn upload(&mut self, file: Upload<'_>) -> String {
        let answer = self.try_upload(file).await;
        assert_eq!((answer.status, answer.field("location")), (StatusCode::SEE_OTHER, Some("/")));
        self.listed().await.swap_remove(0)
    }

    /// Uploads, whatever comes of it.
    pub async fn try_upload(&mut self, file: Upload<'_>) -> Answer {
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            file.name
        )
        .into_bytes();
        body.extend_from_slice(file.content);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let content_type = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}");
        self.send("/upload", &[&content_type], &body).await
    }

    /// Uploads a whole form, as [`form`] makes one.
    pub(super) async fn send_form(&mut self, form: &[u8]) -> Answer {
        let content_type = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}");
        self.send("/upload", &[&content_type], form).await
    }

    /// Where this visitor goes.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file, from wherever the site sends this visitor to.
    pub(super) async fn deliver(&mut self, target: &str) -> Answer {
        let answer = self.get(target).await;
        match answer.field("location") {
            Some(elsewhere) => system_tests::fetch("GET", elsewhere, &[]).await,
            None => answer,
        }
    }

    /// The ids on the page, in order.
    pub async fn listed(&mut self) -> Vec<String> {
        self.listed_at("/").await
    }

    /// The ids on some page of the list.
    pub(super) async fn listed_at(&mut self, target: &str) -> Vec<String> {
        let page = self.get(target).await;
        assert_eq!(page.status, StatusCode::OK);
        let page = String::from_utf8(page.body).expect("UTF-8");
        let mut ids: Vec<String> = Vec::new();
        for id in page.split("href=\"/files/").skip(1).filter_map(|rest| rest.get(..36)) {
            if ids.last().is_none_or(|last| last != id) {
                ids.push(id.to_owned());
            }
        }
        ids
    }

    /// The same visitor at another address of the same site.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, cookies: self.cookies.clone() }
    }

    /// The `Cookie` line that this visitor sends.
    #[must_use]
    pub fn cookie_line(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}", pairs.join("; "))
    }

    fn with_cookies(&self, fields: &[&str]) -> Vec<String> {
        let mut fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        if !self.cookies.is_empty() {
            fields.push(self.cookie_line());
        }
        fields.push("Connection: close".to_owned());
        fields
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().expect("ASCII");
            let pair = line.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect(line);
            self.cookies.retain(|(kept, _)| kept != name);
            if !line.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// A form of files: what stands behind `name="file"; ` in the head of each part, and the content.
pub(super) fn form(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (parameters, content) in parts {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; {parameters}\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}
