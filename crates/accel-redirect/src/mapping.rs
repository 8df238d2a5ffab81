//! [`Mapping`]: which keys lie in which folder, and by which name the proxy knows that folder.

use std::borrow::Cow;
use std::path::{Component, Path};

use secure_download_core::{Download, FileKey, FileKeyError};

/// Characters that at least one proxy would interpret, or cannot be told to take as they are, in a quoted
/// configuration value.
const UNQUOTABLE: [char; 5] = ['\\', '$', '{', '}', '`'];

/// One folder that the proxy sends files from.
///
/// ```
/// use secure_download_accel_redirect::Root;
///
/// // `reports/2026/q1.pdf` of the volume `tenant-7` is /srv/tenant-7/2026/q1.pdf.
/// let root = Root::new("/_protected/tenant-7", "/srv/tenant-7")?.volume("tenant-7").keys_under("reports")?;
/// # let _ = root;
/// # Ok::<(), secure_download_accel_redirect::MappingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Root {
    location: Box<str>,
    folder: Box<str>,
    volume: Volume,
    prefix: Option<FileKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Volume {
    Unnamed,
    Named(Cow<'static, str>),
    Every,
}

impl Root {
    /// A folder on the proxy's machine, and the internal location that stands for it. The application itself need not
    /// see the folder.
    ///
    /// The location is a path such as `/_protected/media`: one segment or more of `A-Za-z0-9-._~`, no `.` or `..`
    /// among them, no `/` at its end. nginx and Caddy know the folder by it; for the other proxies it only names
    /// requests that the application refuses. Without more, downloads that name no volume lie in this folder.
    ///
    /// # Errors
    /// [`MappingError::Location`] and [`MappingError::Folder`] say what is wrong with either.
    pub fn new(location: impl AsRef<str>, folder: impl AsRef<Path>) -> Result<Self, MappingError> {
        let location = checked_location(location.as_ref())?;
        let folder = checked_folder(folder.as_ref())?;
        Ok(Self { location, folder, volume: Volume::Unnamed, prefix: None })
    }

    /// Downloads of this volume lie in the folder.
    #[must_use]
    pub fn volume(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.volume = Volume::Named(name.into());
        self
    }

    /// Each volume that no other root names is a folder of its own name in this one: a tenant more needs no change of
    /// the proxy's configuration. A name that is no single segment of a [`FileKey`] is declined.
    #[must_use]
    pub fn every_volume(mut self) -> Self {
        self.volume = Volume::Every;
        self
    }

    /// Only keys beneath `prefix` lie in the folder, as if it were mounted there: the prefix is no part of the path
    /// within the folder. Of several roots of one volume the one with the longest prefix counts.
    ///
    /// # Errors
    /// [`MappingError::Prefix`] if `prefix` is no [`FileKey`].
    pub fn keys_under(mut self, prefix: impl AsRef<str>) -> Result<Self, MappingError> {
        self.prefix = Some(FileKey::parse(prefix)?);
        Ok(self)
    }

    /// The internal location, without `/` at its end.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The folder on the proxy's machine: absolute, without `/` at its end.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.folder
    }

    fn place<'a>(&self, download: &'a Download) -> Option<Place<'a>> {
        let volume = match (&self.volume, download.volume_name()) {
            (Volume::Unnamed, None) => None,
            (Volume::Named(name), Some(asked)) if name == asked => None,
            (Volume::Every, Some(asked)) if !asked.contains('/') && FileKey::parse(asked).is_ok() => {
                Some(asked)
            }
            _ => return None,
        };
        let key = download.key().as_str();
        let path = match &self.prefix {
            None => key,
            Some(prefix) => key.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
        };
        Some(Place { volume, path })
    }

    /// A download of a canary in this folder.
    #[cfg(feature = "doctor")]
    pub(crate) fn canary(&self, canary: crate::doctor::Canary) -> Option<Download> {
        let path = canary.path();
        let (key, volume) = match &self.volume {
            Volume::Unnamed => (path.as_str(), None),
            Volume::Named(name) => (path.as_str(), Some(name.clone())),
            // The canaries' folder is where a volume of its name would be.
            Volume::Every => {
                let (folder, name) = path.split_once('/')?;
                (name, Some(folder.to_owned().into()))
            }
        };
        let key = match &self.prefix {
            None => FileKey::parse(key).ok()?,
            Some(prefix) => FileKey::parse(format!("{prefix}/{key}")).ok()?,
        };
        let download = canary.describe(Download::new(key));
        Some(match volume {
            None => download,
            Some(name) => download.volume(name),
        })
    }

    fn prefix_length(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.as_str().len())
    }
}

/// Where within a root's folder a download lies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// A folder above `path`.
    pub(crate) volume: Option<&'a str>,
    pub(crate) path: &'a str,
}

/// Every folder that the proxy may send files from. Never taken from a request.
///
/// ```
/// use secure_download_accel_redirect::{Mapping, Root};
///
/// let mapping = Mapping::new([
///     Root::new("/_protected/media", "/srv/media")?,
///     Root::new("/_protected/archive", "/mnt/archive")?.keys_under("archive")?,
///     Root::new("/_protected/tenants", "/srv/tenants")?.every_volume(),
/// ])?;
/// assert_eq!(mapping.roots().len(), 3);
/// # Ok::<(), secure_download_accel_redirect::MappingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mapping {
    roots: Vec<Root>,
}

impl Mapping {
    /// A mapping of these roots.
    ///
    /// # Errors
    /// [`MappingError::Empty`] without a root, [`MappingError::Overlap`] if one location is or lies beneath another,
    /// [`MappingError::Twice`] if two roots hold the same keys.
    pub fn new(roots: impl IntoIterator<Item = Root>) -> Result<Self, MappingError> {
        let mut roots: Vec<Root> = roots.into_iter().collect();
        if roots.is_empty() {
            return Err(MappingError::Empty);
        }
        for (index, one) in roots.iter().enumerate() {
            for other in &roots[index + 1..] {
                if is_beneath(one.location(), other.location())
                    || is_beneath(other.location(), one.location())
                {
                    return Err(MappingError::Overlap { location: other.location().to_owned() });
                }
                if one.volume == other.volume && one.prefix == other.prefix {
                    return Err(MappingError::Twice { location: other.location().to_owned() });
                }
            }
        }
        // What names the most comes first, so that the first match is the one that counts.
        roots.sort_by_key(|root| (root.volume == Volume::Every, std::cmp::Reverse(root.prefix_length())));
        Ok(Self { roots })
    }

    /// Every root, in the order in which they are looked through.
    #[must_use]
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The number of the root that holds a download, and the place within it.
    pub(crate) fn find<'a>(&self, download: &'a Download) -> Option<(usize, Place<'a>)> {
        let mut roots = self.roots.iter().enumerate();
        roots.find_map(|(index, root)| Some((index, root.place(download)?)))
    }
}

pub(crate) fn checked_location(location: &str) -> Result<Box<str>, MappingError> {
    let fine = location.strip_prefix('/').is_some_and(|path| path.split('/').all(is_plain_segment));
    if fine { Ok(location.into()) } else { Err(MappingError::Location { location: location.to_owned() }) }
}

/// Whether `path` is `location` or lies beneath it.
pub(crate) fn is_beneath(path: &str, location: &str) -> bool {
    path.strip_prefix(location).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_plain_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

pub(crate) fn checked_folder(folder: &Path) -> Result<Box<str>, MappingError> {
    let refuse = |problem| MappingError::Folder { folder: folder.display().to_string(), problem };
    let Some(text) = folder.to_str() else { return Err(refuse("is not UTF-8")) };
    if text.chars().any(|character| character.is_control() || UNQUOTABLE.contains(&character)) {
        return Err(refuse(
            "holds a control character or one of \\ $ { } `, which cannot be quoted everywhere",
        ));
    }
    let mut clean = String::with_capacity(text.len());
    let mut components = folder.components();
    if components.next() != Some(Component::RootDir) {
        return Err(refuse("is not absolute: give its path from `/` on"));
    }
    for component in components {
        let Component::Normal(segment) = component else {
            return Err(refuse("holds a `..`: give the path without it"));
        };
        clean.push('/');
        clean.push_str(&segment.to_string_lossy());
    }
    if clean.is_empty() {
        return Err(refuse("is the whole file system: give a folder in it"));
    }
    Ok(clean.into())
}

/// Why a mapping cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// No root was given.
    #[error("a mapping needs at least one root")]
    Empty,
    /// The internal location would need quoting, or matches more than it says.
    #[error("the location {location:?} is not of the form /name or /name/name of A-Z a-z 0-9 - . _ ~")]
    Location {
        /// The location.
        location: String,
    },
    /// The folder cannot be named safely in the configuration of every proxy.
    #[error("the folder {folder:?} {problem}")]
    Folder {
        /// The folder.
        folder: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The prefix is no key.
    #[error("the prefix is no key: {0}")]
    Prefix(#[from] FileKeyError),
    /// Two locations overlap.
    #[error("the location {location:?} overlaps another root's")]
    Overlap {
        /// The later one.
        location: String,
    },
    /// Two roots hold the same keys of the same volume.
    #[error("the root at {location:?} holds the same keys as another")]
    Twice {
        /// The later one.
        location: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(location: &str, folder: &str) -> Root {
        Root::new(location, folder).expect("a root")
    }

    #[test]
    fn the_root_that_names_the_most_holds_a_download() {
        let mapping = Mapping::new([
            root("/_p/tenants", "/t").every_volume(),
            root("/_p/all", "/srv/all"),
            root("/_p/scans", "/srv/scans").keys_under("scans").expect("a key"),
            root("/_p/old", "/srv/old").keys_under("scans/old").expect("a key"),
            root("/_p/one", "/srv/one").volume("one"),
        ])
        .expect("a mapping");
        for (volume, key, place) in [
            (None, "a/b", Some(("/_p/all", None, "a/b"))),
            (None, "scans", Some(("/_p/all", None, "scans"))),
            (None, "scansx/a", Some(("/_p/all", None, "scansx/a"))),
            (None, "scans/a", Some(("/_p/scans", None, "a"))),
            (None, "scans/old/a", Some(("/_p/old", None, "a"))),
            (Some("one"), "scans/a", Some(("/_p/one", None, "scans/a"))),
            (Some("two"), "a", Some(("/_p/tenants", Some("two"), "a"))),
            (Some("../one"), "a", None),
            (Some(".."), "a", None),
            (Some("a/b"), "a", None),
            (Some(""), "a", None),
        ] {
            let mut download = Download::new(FileKey::parse(key).expect("a key"));
            if let Some(name) = volume {
                download = download.volume(name);
            }
            let found = mapping.find(&download);
            let found = found.map(|(index, at)| (mapping.roots()[index].location(), at.volume, at.path));
            assert_eq!(found, place, "{volume:?} {key}");
        }
    }

    #[test]
    fn what_cannot_be_quoted_or_told_apart_is_refused() {
        for location in ["", "/", "x", "/x/", "//x", "/a b", "/a*", "/a\n", "/..", "/a/../b", "/é", "/%20"] {
            assert!(
                matches!(Root::new(location, "/srv"), Err(MappingError::Location { .. })),
                "{location:?}"
            );
        }
        for folder in
            ["", "srv", "/", "/srv/../etc", "/a$b", "/a{b", "/a}b", "/a`b", "/a\\b", "/a\nb", "/a\0b", "./a"]
        {
            assert!(matches!(Root::new("/_p", folder), Err(MappingError::Folder { .. })), "{folder:?}");
        }
        for (folder, kept) in [("/srv/", "/srv"), ("//srv/./a", "/srv/a"), ("/a b\"c'd;e#", "/a b\"c'd;e#")] {
            assert_eq!(root("/_p", folder).folder(), kept);
        }
        let (a, b) = (root("/_p/a", "/a"), root("/_p/b", "/b"));
        assert_eq!(Mapping::new([]).err(), Some(MappingError::Empty));
        let overlap = |location: &str| Some(MappingError::Overlap { location: location.to_owned() });
        assert_eq!(Mapping::new([a.clone(), root("/_p/a/x", "/b").volume("x")]).err(), overlap("/_p/a/x"));
        assert_eq!(Mapping::new([a.clone(), root("/_p", "/b").volume("x")]).err(), overlap("/_p"));
        assert!(Mapping::new([a.clone(), root("/_p/ab", "/b").volume("x")]).is_ok());
        assert!(matches!(Mapping::new([a, b]), Err(MappingError::Twice { .. })));
    }
}
