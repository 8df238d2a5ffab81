//! [`Content`]: a file of which any piece can be checked.

/// Bytes that differ everywhere, so that a shifted or mixed piece shows.
#[derive(Debug)]
pub(crate) struct Content(Vec<u8>);

impl Content {
    pub(crate) fn new(size: usize) -> Self {
        let words = (0..size.div_ceil(8) as u64).flat_map(|index| {
            // splitmix64
            let mut word = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (word ^ (word >> 31)).to_le_bytes()
        });
        Self(words.take(size).collect())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// # Panics
    /// If `piece` is not what stands at `offset`.
    pub(crate) fn check(&self, offset: usize, piece: &[u8]) {
        assert!(self.0[offset..offset + piece.len()] == *piece, "wrong bytes at {offset}");
    }
}
