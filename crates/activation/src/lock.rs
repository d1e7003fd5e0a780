//! One switch at a time: two that interleave would leave a system that neither of them planned.

use std::fs::File;
use std::io;

use rustix::fs::{FlockOperation, flock};

use crate::root::Root;

/// Held from the plan of a switch to its end. Dropping it lets the next one begin.
#[derive(Debug)]
pub struct SwitchLock {
    _file: File,
}

/// Where it is; gone after a boot, as every switch is.
const PLACE: &str = "/run/esker/switch.lock";

impl SwitchLock {
    /// Waits until no other switch is going on; `waits` is called before it has to wait.
    ///
    /// Errors when the lock file cannot be made.
    pub fn take(root: &Root, waits: impl FnOnce()) -> io::Result<Self> {
        let path = root.path(PLACE);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let file = fs_err::File::create(path)?.into_parts().0;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            waits();
            flock(&file, FlockOperation::LockExclusive)?;
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::at(directory.path());
        let first = SwitchLock::take(&root, || panic!("there is nobody to wait for")).unwrap();
        let (waiting, begins) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || SwitchLock::take(&root, || waiting.send(()).unwrap()).unwrap());
        begins.recv().unwrap();
        drop(first);
        second.join().unwrap();
    }
}
