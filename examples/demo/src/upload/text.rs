//! [`TextCheck`]: whether a file is text, and in which encoding. All of it is looked at, while it arrives.

/// What a file is, if it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// Valid UTF-8 from the first byte to the last, and no encoding of seven bits that shifts by escapes (ISO 2022).
    Utf8,
    /// Begins with a byte order mark of UTF-16.
    Utf16,
    /// No byte is zero, so it may be text in an older encoding.
    Unknown,
    /// Not text.
    Binary,
}

/// Looks at a file chunk by chunk.
#[derive(Debug, Default)]
pub(crate) struct TextCheck {
    begins: Vec<u8>,
    size: u64,
    not_utf8: bool,
    has_zero: bool,
    has_escape: bool,
    has_eighth_bit: bool,
    /// The beginning of a character whose end is in the next chunk.
    half: Vec<u8>,
}

impl TextCheck {
    /// Takes the next bytes of the file.
    pub(crate) fn add(&mut self, mut chunk: &[u8]) {
        self.size += chunk.len() as u64;
        let missing = 4_usize.saturating_sub(self.begins.len()).min(chunk.len());
        self.begins.extend_from_slice(&chunk[..missing]);
        self.has_zero = self.has_zero || chunk.contains(&0);
        self.has_escape = self.has_escape || chunk.contains(&0x1b);
        self.has_eighth_bit = self.has_eighth_bit || !chunk.is_ascii();
        while !self.half.is_empty() && !self.not_utf8 {
            let Some((first, rest)) = chunk.split_first() else { return };
            self.half.push(*first);
            chunk = rest;
            match std::str::from_utf8(&self.half) {
                Ok(_) => self.half.clear(),
                Err(error) => self.not_utf8 = error.error_len().is_some(),
            }
        }
        if self.not_utf8 {
            return;
        }
        if let Err(error) = std::str::from_utf8(chunk) {
            self.not_utf8 = error.error_len().is_some();
            self.half = chunk[error.valid_up_to()..].to_vec();
            self.half.truncate(3);
        }
    }

    /// What the bytes so far are as a whole file.
    pub(crate) fn text(&self) -> Text {
        let shifts = self.has_escape && !self.has_eighth_bit;
        // The mark of UTF-32 begins as that of UTF-16 does.
        let marked = matches!(self.begins[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
            && !matches!(self.begins[..], [0xff, 0xfe, 0, 0]);
        if !self.not_utf8 && self.half.is_empty() && !self.has_zero && !shifts {
            Text::Utf8
        } else if marked && self.size.is_multiple_of(2) {
            Text::Utf16
        } else if self.has_zero {
            Text::Binary
        } else {
            Text::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_file_decides() {
        let ascii = "a".repeat(9000);
        let late = [ascii.as_bytes(), b"Gr\xfc\xdfe"].concat();
        let marked = |mark: [u8; 2]| [&mark[..], b"G\0r\0\xfc\0"].concat();
        for (bytes, expected) in [
            (&b""[..], Text::Utf8),
            (ascii.as_bytes(), Text::Utf8),
            ("Grüße 報告 🦀".as_bytes(), Text::Utf8),
            ("\u{feff}Grüße".as_bytes(), Text::Utf8),
            (&late, Text::Unknown),
            (b"Gr\xc3", Text::Unknown),
            (b"\x83\x65\x83\x58\x83\x67", Text::Unknown),
            (&marked([0xff, 0xfe]), Text::Utf16),
            (&marked([0xfe, 0xff]), Text::Utf16),
            (b"\xff\xfeodd", Text::Unknown),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Text::Binary),
            (b"ustar\0", Text::Binary),
        ] {
            for size in [1, 2, 3, 7, 8192, 65_536] {
                let mut check = TextCheck::default();
                bytes.chunks(size).for_each(|chunk| check.add(chunk));
                assert_eq!(check.text(), expected, "{size}: {:?}", &bytes[..bytes.len().min(20)]);
            }
        }
    }
}
