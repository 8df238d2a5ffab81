//! Taking files in: from the network to the disk, never as a whole in memory.

mod encoded_word;
mod kind;
mod media;
mod metered;
mod name;
mod quota;
mod receive;
mod sniff;
mod text;

pub(crate) use self::kind::{Kind, is_shown};
pub(crate) use self::media::{Draft, Media, StoreFileError};
pub(crate) use self::quota::{Quota, Share};
pub(crate) use self::receive::{Limits, MOST_FILES, ReceiveError, receive};
