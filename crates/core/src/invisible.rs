//! [`is_invisible`]: characters that nobody sees.

/// Whether a character is drawn as nothing, or only changes how others are drawn or ordered: format characters, bidirectional
/// controls, joiners, variation selectors, fillers and tags.
///
/// Text from outside that holds one may look like another text. [`safe_filename`](crate::safe_filename) removes those that
/// no script needs, and the audit log of `secure-download-observe` escapes all of them. White space is not invisible.
///
/// ```
/// use secure_download_core::is_invisible;
///
/// assert!(is_invisible('\u{202e}') && is_invisible('\u{3164}'));
/// assert!(!is_invisible(' ') && !is_invisible('ä'));
/// ```
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether scripts and emoji need the invisible character behind another one: joiners (Persian, Indic, families of emoji),
/// Mongolian's vowel separator, joiners of hieroglyphs, and variation selectors (emoji, Han, Mongolian).
pub(crate) const fn shapes(c: char) -> bool {
    matches!(c,
        '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{13430}'..='\u{1343f}'
        | '\u{e0100}'..='\u{e01ef}')
}
