//! Taking a file in: from the network to the disk, never as a whole in memory.

mod kind;
mod media;
mod name;
mod receive;

use self::kind::content_type;
pub(crate) use self::media::{Media, StoreFileError};
use self::name::{file_name, or_default};
pub(crate) use self::receive::{ReceiveError, receive};
