//! [`safe_filename`]: a name of any origin under which a file may be saved.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::dot_file::acts_when_saved;
use crate::invisible::{is_invisible, shapes};

/// The name of a file whose own name is missing or has nothing left.
pub(crate) const NAMELESS: &str = "download";

/// The longest name in bytes: file systems stop at 255, browsers append ` (1)` or `.crdownload`, and wget cuts names off 19
/// bytes before that.
pub(crate) const MAX_LEN: usize = 236;

/// The longest extension that is kept when a name is cut, dots included.
const MAX_EXTENSION: usize = 24;

/// Makes a file name of any origin safe to save under.
///
/// - Decomposed letters, as macOS writes them, are composed (Unicode normalization form C).
/// - `/`, `\` and characters that look like them or like a colon, and that code pages of Windows turn into them (`／`, `∕`,
///   `＼`, `：`), become `_`. A run of control characters becomes one `_`.
/// - Characters that reorder or hide text (see [`is_invisible`]) are removed. Joiners and variation selectors stay behind a
///   character that is not ASCII: scripts and emoji need them there.
/// - A run of white space, line breaks included, becomes one space, so that it cannot push the ending out of sight. One
///   space of another kind stays.
/// - Leading and trailing white space and dots are removed. A file such as `.gitignore` keeps its dot: commands like
///   `curl -OJ` save it as it is, browsers replace the dot themselves. The start-up files of shells, of tools for downloading
///   and of web servers (`.bashrc`, `.curlrc`, `.htaccess`) lose it, for saving one in a home or web folder makes it act.
/// - A Windows device name (`CON`, `nul.txt`, `LPT1`) gets a leading `_`.
/// - More than 236 bytes are cut in front of the extension, of which `.tar.gz` and `.user.js` are whole.
/// - What is then empty is named `download`.
///
/// Characters that only Windows forbids (`:*?"<>|`) stay: browsers there replace them, and other systems allow them.
///
/// ```
/// use secure_download_core::safe_filename;
///
/// assert_eq!(safe_filename("../../etc/passwd"), "_.._etc_passwd");
/// assert_eq!(safe_filename("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
/// assert_eq!(safe_filename("scan.pdf                .exe"), "scan.pdf .exe");
/// assert_eq!(safe_filename("aux.h"), "_aux.h");
/// ```
#[must_use]
pub fn safe_filename(name: &str) -> String {
    let composed = compose(name.into());
    let mut visible = String::with_capacity(composed.len());
    let mut rest = composed.chars().peekable();
    while let Some(c) = rest.next() {
        if is_blank(c) {
            // One blank of any width hides nothing.
            let run = skip_while(&mut rest, |c| is_blank(c) || is_dropped(c, None, None)) > 0;
            visible.push(if run || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c });
        } else if c.is_control() {
            skip_while(&mut rest, |c| c.is_control() && !is_blank(c));
            visible.push('_');
        } else if is_separator(c) {
            visible.push('_');
        } else if !is_dropped(c, visible.chars().next_back(), rest.peek().copied()) {
            visible.push(c);
        }
    }
    // What stood between a letter and its mark is gone.
    let visible = compose(visible.into());
    let trimmed = trim(&visible);
    let mut safe = String::with_capacity(trimmed.len() + 1);
    if is_device_name(trimmed) {
        safe.push('_');
    }
    safe.push_str(trimmed);
    if safe.len() > MAX_LEN {
        safe = shorten(&safe);
    }
    if safe.is_empty() { NAMELESS.to_owned() } else { safe }
}

/// Whether [`safe_filename`] leaves an ASCII name without control characters as it is: true of most names.
pub(crate) fn is_safe_ascii(name: &str) -> bool {
    (1..=MAX_LEN).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'/' | b'\\'))
        && !name.contains("  ")
        && trim(name).len() == name.len()
        && !is_device_name(name)
}

/// Normalization form C; a name in ASCII or already in it is not copied.
fn compose(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.is_ascii() || is_nfc(&name) { name } else { name.nfc().collect::<String>().into() }
}

fn skip_while(rest: &mut Peekable<Chars<'_>>, skipped: impl Fn(char) -> bool) -> usize {
    std::iter::from_fn(|| rest.next_if(|&c| skipped(c))).count()
}

/// White space, line breaks, and the blank pattern of Braille.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

/// Path separators, and look-alikes of slashes and colons that conversions to a code page ("best fit") or to compatibility
/// forms turn into them.
fn is_separator(c: char) -> bool {
    matches!(
        c,
        '/' | '\\'
            | '\u{2044}'
            | '\u{2215}'
            | '\u{2571}'
            | '\u{27cb}'
            | '\u{29f8}'
            | '\u{ff0f}'
            | '\u{2216}'
            | '\u{2572}'
            | '\u{27cd}'
            | '\u{29f5}'
            | '\u{29f9}'
            | '\u{fe68}'
            | '\u{ff3c}'
            | '\u{2236}'
            | '\u{fe13}'
            | '\u{fe55}'
            | '\u{ff1a}'
    )
}

/// Whether an invisible character is taken out of a name, by what stands before and behind it.
fn is_dropped(c: char, before: Option<char>, behind: Option<char>) -> bool {
    if !is_invisible(c) {
        return false;
    }
    let Some(before) = before else { return true };
    let is_shaped = !before.is_ascii() && !before.is_whitespace() && !is_invisible(before);
    // A rainbow flag: flag, selector, joiner, rainbow.
    let joins_emoji = c == '\u{200d}' && before == '\u{fe0f}';
    // A digit, a selector, and the key around it.
    let is_key = c == '\u{fe0f}' && behind == Some('\u{20e3}') && matches!(before, '0'..='9' | '#' | '*');
    !(shapes(c) && (is_shaped || joins_emoji) || is_key)
}

/// Takes white space and dots from both ends, except for the dot of a dot file.
fn trim(name: &str) -> &str {
    let is_end = |c: char| c == '.' || is_blank(c);
    let name = name.trim_end_matches(is_end).trim_start_matches(is_blank);
    match name.strip_prefix('.') {
        Some(rest) if rest.starts_with(char::is_alphanumeric) && !acts_when_saved(name) => name,
        _ => name.trim_start_matches(is_end),
    }
}

/// Names that Windows gives to devices, with any extension
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is = |device: &str| stem.eq_ignore_ascii_case(device);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].into_iter().any(is) {
        return true;
    }
    let Some((kind, number)) = stem.split_at_checked(3) else { return false };
    let mut digits = number.chars();
    (kind.eq_ignore_ascii_case("COM") || kind.eq_ignore_ascii_case("LPT"))
        && matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³'))
        && digits.next().is_none()
}

/// Where the extension of a name begins: at its last dot, or at an earlier one where short words follow each other, as in
/// `.tar.gz`, `.pkg.tar.zst` and `.user.js`. At the end if there is none, or only the dot of a dot file.
pub(crate) fn extension_start(name: &str) -> usize {
    let mut start = name.len();
    for (count, (dot, _)) in name.rmatch_indices('.').enumerate() {
        let word = &name[dot + 1..start];
        let is_short = (1..=8).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !word.bytes().all(|byte| byte.is_ascii_digit());
        if dot == 0 || name.len() - dot > MAX_EXTENSION || (count > 0 && !is_short) || count > 2 {
            break;
        }
        start = dot;
    }
    start
}

/// Cuts the middle out of a name that is too long: its start and its extension stay.
fn shorten(name: &str) -> String {
    let extension = &name[extension_start(name)..];
    let mut end = MAX_LEN - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let stem = name[..end].trim_end_matches(|c: char| c == '.' || is_blank(c));
    format!("{stem}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        for (name, safe) in [
            ("a.png", "a.png"),
            ("a b.png", "a b.png"),
            ("ä \"b\"; c%20.pdf", "ä \"b\"; c%20.pdf"),
            ("Meeting 12:30?.txt", "Meeting 12:30?.txt"),
            ("", "download"),
            ("...", "download"),
            (" . ", "download"),
            ("trailing. .", "trailing"),
            ("a/b\\c", "a_b_c"),
            ("../a", "_a"),
            ("a\r\nSet-Cookie: x", "a Set-Cookie: x"),
            ("a\0b\x1b[31m\x7f\x7f.txt", "a_b_[31m_.txt"),
            ("a\u{2028}b", "a b"),
            ("cod\u{202e}gnp.exe", "codgnp.exe"),
            ("\u{feff}a\u{200b}b", "ab"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("nul .txt", "_nul .txt"),
            ("com1.log", "_com1.log"),
            ("COM¹", "_COM¹"),
            ("com10.log", "com10.log"),
            ("console", "console"),
            ("..con", "_con"),
            ("c\u{200b}on", "_con"),
        ] {
            assert_eq!(safe_filename(name), safe, "{name:?}");
        }
    }

    #[test]
    fn names_are_composed() {
        for (name, safe) in [
            ("Mu\u{308}ller.pdf", "Müller.pdf"),
            ("u\u{200b}\u{308}.pdf", "ü.pdf"),
            ("\u{1112}\u{1161}\u{11ab}.hwp", "한.hwp"),
            ("\u{212a}.txt", "K.txt"),
            ("Müller.pdf", "Müller.pdf"),
            // Compatibility forms are other characters.
            ("ﬁ ½ ².txt", "ﬁ ½ ².txt"),
        ] {
            assert_eq!(safe_filename(name), safe, "{name:?}");
        }
    }

    #[test]
    fn endings_are_not_hidden() {
        for hidden in [
            '\u{3164}',
            '\u{115f}',
            '\u{1160}',
            '\u{ffa0}',
            '\u{34f}',
            '\u{ad}',
            '\u{200b}',
            '\u{2060}',
            '\u{fe0f}',
            '\u{200d}',
            '\u{200c}',
            '\u{180e}',
            '\u{e0020}',
            '\u{e0101}',
            '\u{17b4}',
            '\u{1d159}',
            '\u{feff}',
        ] {
            let name = format!("scan.pdf{}.exe", hidden.to_string().repeat(100));
            assert_eq!(safe_filename(&name), "scan.pdf.exe", "{hidden:?}");
            let between = format!("scan.pdf{}.exe", format!(" {hidden}").repeat(50));
            assert_eq!(safe_filename(&between), "scan.pdf .exe", "{hidden:?}");
        }
        for blank in [
            ' ', '\t', '\n', '\r', '\u{b}', '\u{85}', '\u{a0}', '\u{1680}', '\u{2003}', '\u{2007}',
            '\u{2028}', '\u{202f}', '\u{205f}', '\u{2800}', '\u{3000}',
        ] {
            let name = format!("scan.pdf{}.exe", blank.to_string().repeat(150));
            assert_eq!(safe_filename(&name), "scan.pdf .exe", "{blank:?}");
            let mixed = format!("scan.pdf{}.exe", format!(" {blank}").repeat(50));
            assert_eq!(safe_filename(&mixed), "scan.pdf .exe", "{blank:?}");
        }
        assert_eq!(safe_filename("scan.pdf\x01\x02\x03\x01.exe"), "scan.pdf_.exe");
        // One blank is a blank.
        assert_eq!(safe_filename("報告\u{3000}最終.xlsx"), "報告\u{3000}最終.xlsx");
        assert_eq!(safe_filename("at 9.41\u{202f}AM.png"), "at 9.41\u{202f}AM.png");
    }

    #[test]
    fn what_scripts_and_emoji_need_stays() {
        for name in [
            "👩\u{200d}🔬.txt",
            "🏳\u{fe0f}\u{200d}🌈.png",
            "❤\u{fe0f}.txt",
            "1\u{fe0f}\u{20e3}.txt",
            "می\u{200c}خواهم.pdf",
            "ක\u{dca}\u{200d}ය.pdf",
            "ന\u{d4d}\u{200d}.pdf",
            "葛\u{e0100}城.pdf",
            "ᠮᠣᠩᠭᠣᠯ\u{180e}ᠠ.txt",
            "\u{600}١.txt",
        ] {
            assert_eq!(safe_filename(name), name, "{name:?}");
        }
        // One is enough.
        assert_eq!(safe_filename("می\u{200c}\u{200c}\u{200d}خ.pdf"), "می\u{200c}خ.pdf");
    }

    #[test]
    fn look_alikes_of_separators_are_replaced() {
        for c in ['／', '∕', '⁄', '⧸', '╱', '＼', '∖', '⧹', '﹨', '⧵', '：', '∶', '﹕', '\u{fe13}']
        {
            assert_eq!(safe_filename(&format!("..{c}..{c}etc{c}passwd")), "_.._etc_passwd", "{c:?}");
        }
        assert_eq!(safe_filename("C：evil.dll"), "C_evil.dll");
        assert_eq!(safe_filename("¥500, ₩900, 3÷4.pdf"), "¥500, ₩900, 3÷4.pdf");
    }

    #[test]
    fn dot_files_keep_their_dot_unless_they_act() {
        for name in [
            ".gitignore",
            ".env",
            ".env.local",
            ".tar.gz",
            ".eslintrc.json",
            ".ünicode",
            ".7z",
            ".bash",
            ".shared",
        ] {
            assert_eq!(safe_filename(name), name);
        }
        for (name, safe) in [
            (".htaccess", "htaccess"),
            (".HTACCESS", "HTACCESS"),
            (".ht\u{200b}access", "htaccess"),
            (".htaccess . ", "htaccess"),
            (".bashrc", "bashrc"),
            (".bash_profile", "bash_profile"),
            (".zshenv", "zshenv"),
            (".zprofile", "zprofile"),
            (".profile", "profile"),
            (".curlrc", "curlrc"),
            (".wgetrc", "wgetrc"),
            (".netrc", "netrc"),
            (".user.ini", "user.ini"),
            ("..gitignore", "gitignore"),
            (". gitignore", "gitignore"),
            (" .gitignore", ".gitignore"),
            ("._resource", "_resource"),
            (".-", "-"),
            (".", "download"),
            ("..", "download"),
        ] {
            assert_eq!(safe_filename(name), safe, "{name:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        for extension in [".tar.gz", ".tar.zst", ".user.js", ".pkg.tar.zst", ".pdf", ".d.ts", ".ünïcode"] {
            let long = safe_filename(&format!("{}{extension}", "ä".repeat(400)));
            assert!(long.len() <= MAX_LEN && long.ends_with(&format!("ä{extension}")), "{long}");
        }
        let long = safe_filename(&format!("{} 1. Entwurf.pdf", "ä".repeat(400)));
        assert!(long.len() <= MAX_LEN && long.ends_with("ä.pdf"), "{long}");
        let no_extension = safe_filename(&"x".repeat(400));
        assert_eq!(no_extension.len(), MAX_LEN);
        let all_extension = safe_filename(&format!("a.{}", "x".repeat(400)));
        assert_eq!(all_extension.len(), MAX_LEN);
    }
}
