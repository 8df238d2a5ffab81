//! A root of the mapping on the command line.

use std::str::FromStr;

use secure_download_accel_redirect::Root;

/// `[VOLUME:]LOCATION[+KEYS]=FOLDER`. A location holds neither `:` nor `+` nor `=`, so nothing is ambiguous.
#[derive(Debug, Clone)]
pub(crate) struct RootArg(pub(crate) Root);

impl FromStr for RootArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, folder) = text.split_once('=').ok_or("expected [VOLUME:]LOCATION[+KEYS]=FOLDER")?;
        let (volume, name) = match name.split_once(':') {
            Some((volume, name)) => (Some(volume), name),
            None => (None, name),
        };
        let (location, keys) = match name.split_once('+') {
            Some((location, keys)) => (location, Some(keys)),
            None => (name, None),
        };
        let mut root = Root::new(location, folder).map_err(|error| error.to_string())?;
        root = match volume {
            None => root,
            Some("*") => root.every_volume(),
            Some(volume) => root.volume(volume.to_owned()),
        };
        if let Some(keys) = keys {
            root = root.keys_under(keys).map_err(|error| error.to_string())?;
        }
        Ok(Self(root))
    }
}
