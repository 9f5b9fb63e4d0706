//! Files that the process may have open: each connection is one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Has as many as the system allows, where a shell's default is 1,024, and says where they are too
/// few for so many connections.
pub(super) fn allow(connections: u32) {
    let allowed = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    match allowed {
        Ok(files) if files <= u64::from(connections) => {
            tracing::warn!(files, connections, "fewer files may be open than --connections says");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit on open files cannot be raised"),
    }
}
