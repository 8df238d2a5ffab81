//! [`readable_pairs`]: cookies that a framework's own parser can read.

/// The pairs of all `Cookie` lines that are ASCII, as the cookies of this site are. Frameworks drop a whole line, or all of
/// them, for one byte that a script on a parent domain has set.
pub fn readable_pairs<'a>(lines: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a str> {
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    pairs.filter(|pair| pair.is_ascii()).filter_map(|pair| std::str::from_utf8(pair.trim_ascii()).ok())
}
