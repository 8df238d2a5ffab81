//! The pages, from the templates beside this crate. Askama escapes whatever it fills in.

use askama::Template;
use http::StatusCode;
use secure_download::safe_filename;

use crate::page::html;
use crate::store::{ListedFile, User};
use crate::upload::is_shown;
use crate::{Page, log_failure, next, path};

/// The page with the list of files.
#[derive(Template)]
#[template(path = "files.html")]
pub(crate) struct FilesPage {
    pub(crate) user: String,
    pub(crate) files: Vec<FileEntry>,
    /// The number of this page of the list, and of its neighbours.
    pub(crate) page: u32,
    pub(crate) newer: Option<u32>,
    pub(crate) older: Option<u32>,
    pub(crate) strategy: &'static str,
    pub(crate) downloads: u64,
    pub(crate) sent: String,
    pub(crate) max_upload: u64,
    pub(crate) max_upload_text: String,
}

/// One file in the list.
pub(crate) struct FileEntry {
    id: String,
    name: String,
    /// Stands behind the id in the address of the file, for clients that save under it.
    segment: String,
    kind: String,
    /// Stands in place of a thumbnail.
    badge: String,
    size: String,
    age: String,
    created: String,
    owner: String,
    is_own: bool,
    shared_with: Vec<String>,
    has_thumbnail: bool,
    has_preview: bool,
}

/// The page to sign in.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    failed: bool,
    username: &'a str,
    /// Where to go on after signing in.
    next: Option<&'a str>,
}

/// The page that a link shows before it is redeemed.
#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage;

/// The page that shows a new link to its maker.
#[derive(Template)]
#[template(path = "link_made.html")]
struct LinkMadePage<'a> {
    name: &'a str,
    origin: &'a str,
    token: &'a str,
}

/// Any page that says why something did not happen.
#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    title: &'a str,
    detail: &'a str,
    /// Address and text of the button, if there is somewhere to go on to.
    way_on: Option<(&'a str, &'a str)>,
}

/// The largest picture that is shown as its own thumbnail, in bytes.
const LARGEST_THUMBNAIL: u64 = 8 << 20;

impl FileEntry {
    pub(crate) fn new(listed: ListedFile, reader: &User) -> Self {
        let ListedFile { file, owner_name, shared_with, age, created, .. } = listed;
        let essence = file.content_type.split(';').next().unwrap_or_default();
        let is_picture = essence.starts_with("image/") && is_shown(essence);
        Self {
            segment: path::segment(&safe_filename(&file.name)),
            kind: kind(essence, &safe_filename(&file.name)),
            badge: badge(essence, &safe_filename(&file.name)),
            has_thumbnail: is_picture && file.size <= LARGEST_THUMBNAIL,
            has_preview: is_shown(essence),
            size: size(file.size),
            age: age_text(age),
            created,
            owner: owner_name,
            is_own: file.owner == reader.id,
            shared_with,
            id: file.id,
            // As a browser saves it: nothing in it is invisible, or hides what stands behind it.
            name: safe_filename(&file.name),
        }
    }
}

/// Renders the list of files.
pub(crate) fn files(page: &FilesPage) -> Page {
    render(StatusCode::OK, page)
}

/// Renders the form to sign in; once more if that failed.
pub(crate) fn login(failed: bool, username: &str, next: Option<&str>) -> Page {
    let status = if failed { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    render(status, &LoginPage { failed, username, next })
}

/// Renders what a link shows before it is redeemed.
pub(crate) fn link() -> Page {
    render(StatusCode::OK, &LinkPage)
}

/// Renders the new link of a file for its maker. `origin` stands before its path.
pub(crate) fn link_made(name: &str, origin: &str, token: &str) -> Page {
    render(StatusCode::OK, &LinkMadePage { name: &safe_filename(name), origin, token })
}

/// A page that says what went wrong, with the common text of `status` if `detail` is empty.
#[must_use]
pub fn refusal(status: StatusCode, detail: &str) -> Page {
    html(status, refusal_markup(status, detail))
}

/// What somebody sees who need not be a user here. The same for a link that never was, has expired, is spent or was revoked.
pub(crate) fn no_such_link() -> Page {
    let detail = "This link is not good any more. Please ask whoever sent it for a new one.";
    html(StatusCode::NOT_FOUND, markup(StatusCode::NOT_FOUND, detail, None))
}

/// The markup of [`refusal`].
pub(crate) fn refusal_markup(status: StatusCode, detail: &str) -> String {
    let way_on =
        if status == StatusCode::UNAUTHORIZED { ("/login", "Sign in") } else { ("/", "Back to the files") };
    markup(status, detail, Some(way_on))
}

/// The page for a visitor who must sign in first, and then comes back to `target`.
pub(crate) fn sign_in_markup(target: &str) -> String {
    markup(StatusCode::UNAUTHORIZED, "", Some((&next::sign_in_for(target), "Sign in")))
}

fn markup(status: StatusCode, detail: &str, way_on: Option<(&str, &str)>) -> String {
    let (title, common) = match status {
        StatusCode::BAD_REQUEST => {
            ("That did not arrive in one piece", "The request could not be understood.")
        }
        StatusCode::UNAUTHORIZED => ("Please sign in", "Files are only for people who are signed in."),
        StatusCode::FORBIDDEN => ("Not allowed", "You may not do this."),
        StatusCode::NOT_FOUND => (
            "Nothing here",
            "There is no such page or file. It may have been deleted, or it was never shared with you.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => ("Not like this", "This address does not take such requests."),
        StatusCode::REQUEST_TIMEOUT => {
            ("That took too long", "Nothing arrived for a while. Please try again.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("Too large", "That is more than this site takes."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("Not like this", "This address does not take such content."),
        StatusCode::UNPROCESSABLE_ENTITY => ("That did not work", "Something in the form does not fit."),
        StatusCode::MISDIRECTED_REQUEST => ("Not under this name", "This site has another address."),
        StatusCode::NOT_IMPLEMENTED => ("Not yet", "This is not available yet."),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Busy at the moment",
            "Too much is going on, or storage cannot be reached. Please try again soon.",
        ),
        _ => ("Something went wrong", "It is not your fault. Please try again."),
    };
    let detail = if detail.is_empty() { common } else { detail };
    let page = RefusalPage { title, detail, way_on };
    page.render().unwrap_or_else(|error| {
        log_failure("a page cannot be rendered", &error);
        title.to_owned()
    })
}

fn render(status: StatusCode, page: &impl Template) -> Page {
    match page.render() {
        Ok(markup) => html(status, markup),
        Err(error) => {
            log_failure("a page cannot be rendered", &error);
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "")
        }
    }
}

/// What a person calls this type.
fn kind(essence: &str, name: &str) -> String {
    let common = match essence {
        "text/plain" => "Text",
        "text/html" | "application/xhtml+xml" => "Web page",
        "application/pdf" => "PDF document",
        "application/zip" => "ZIP archive",
        "image/svg+xml" => "SVG drawing",
        "image/jpeg" => "JPEG image",
        "audio/mpeg" => "MP3 audio",
        _ => "",
    };
    if !common.is_empty() {
        return common.to_owned();
    }
    let (top, subtype) = essence.split_once('/').unwrap_or((essence, ""));
    let subtype = subtype.rsplit(['.', '+']).next().unwrap_or(subtype).trim_start_matches("x-");
    match top {
        "image" | "audio" | "video" => match ending(name) {
            Some(ending) => format!("{ending} {top}"),
            None => format!("{} {top}", subtype.to_uppercase()),
        },
        // Longer names of types mean nothing to a person.
        _ => ending(name).map_or_else(|| "File".to_owned(), |ending| format!("{ending} file")),
    }
}

/// What stands behind the last dot of a name, in capitals, if it looks like the ending of a file's name.
fn ending(name: &str) -> Option<String> {
    let (_, ending) = name.rsplit_once('.')?;
    let looks_right =
        (1..=8).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    looks_right.then(|| ending.to_ascii_uppercase())
}

fn badge(essence: &str, name: &str) -> String {
    let common = match essence {
        "application/pdf" => "PDF",
        "text/plain" => "TXT",
        "text/html" | "application/xhtml+xml" => "WEB",
        "image/svg+xml" => "SVG",
        "application/zip" => "ZIP",
        _ => match essence.split('/').next() {
            Some("image") => "IMG",
            Some("audio") => "♪",
            Some("video") => "▶",
            _ => return ending(name).filter(|ending| ending.len() <= 4).unwrap_or_else(|| "•".to_owned()),
        },
    };
    common.to_owned()
}

/// A size as people write it: powers of 1,000, at most one digit behind the point.
pub(crate) fn size(bytes: u64) -> String {
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut tenths = bytes / 100;
    let mut units = ["kB", "MB", "GB", "TB", "PB", "EB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while tenths >= 10_000 {
        let Some(next) = units.next() else { break };
        unit = next;
        tenths /= 1000;
    }
    if tenths >= 1000 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

fn age_text(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_read_well() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (46_287, "46.2 kB"),
            (314_572_800, "314 MB"),
            (5 << 30, "5.3 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in
            [(59, "just now"), (60, "1 minute ago"), (7199, "1 hour ago"), (172_800, "2 days ago")]
        {
            assert_eq!(age_text(seconds), text);
        }
    }

    #[test]
    fn kinds_are_said_in_words() {
        let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        for (essence, name, called, shown) in [
            ("text/plain", "a", "Text", "TXT"),
            ("audio/flac", "a.flac", "FLAC audio", "♪"),
            ("video/x-matroska", "a.mkv", "MKV video", "▶"),
            ("image/x-nikon-nef", "a.nef", "NEF image", "IMG"),
            ("audio/ogg", "a", "OGG audio", "♪"),
            (word, "a.docx", "DOCX file", "DOCX"),
            ("application/octet-stream", "a.b.json5", "JSON5 file", "•"),
            ("application/octet-stream", "a", "File", "•"),
            ("application/octet-stream", "a.\u{202e}b", "File", "•"),
            ("text/css", "a.", "File", "•"),
        ] {
            assert_eq!((&*kind(essence, name), &*badge(essence, name)), (called, shown), "{essence} {name}");
        }
    }

    #[test]
    fn text_never_becomes_markup() {
        let markup = refusal_markup(StatusCode::BAD_REQUEST, "<script>'\"&");
        assert!(!markup.contains("<script>'") && markup.contains("&#60;script&#62;"), "{markup}");
    }
}
