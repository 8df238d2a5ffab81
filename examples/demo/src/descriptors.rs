//! The limit on open files.

/// Lets this process open as many files and connections as the system allows it.
///
/// Most shells start programs with room for 1,024, a thousand connections; what they may ask for is far more.
#[cfg(unix)]
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused only in odd sandboxes, where the old limit is as good as it gets.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Nothing to do here.
#[cfg(not(unix))]
pub fn raise_descriptor_limit() {}
