//! The database of a virtual machine's store whose host has a store of its own that shows through (`modules/virtualisation/
//! shared-store.nix`). The host builds and collects while the machine is off, so at each boot the machine learns what is
//! there of the system that it runs, and forgets what is gone.

use std::path::Path;

use store::{ContentCheck, Repair, Store, StoreOptions};

use crate::SystemError;
use crate::profile::system_profile;

/// What became of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Paths that are new in it.
    pub registered: usize,
    /// Paths that it had and that are not there any more, with what refers to them.
    pub forgotten: usize,
}

/// Registers what the host says of its store, makes the booted system a generation and the default one, and forgets what
/// the host does not have any more, generations among them.
///
/// Errors when the database cannot be changed or the host's text is damaged; a later boot does the same again.
pub fn register(text: &str, booted: &Path) -> Result<Changes, SystemError> {
    register_in(&Store::open(StoreOptions::new("/"))?, text, booted)
}

fn register_in(store: &Store, text: &str, booted: &Path) -> Result<Changes, SystemError> {
    let gone = store.verify(ContentCheck::Skip, Repair::Unregister)?.unregistered;
    let registered = store.load_registrations(text)?;
    let profile = system_profile(store);
    if let Some(toplevel) = store.layout().store_path_of(booted) {
        let generation = profile.add_generation(&toplevel)?;
        profile.switch(generation.number)?;
    }
    let mut stale = Vec::new();
    for generation in profile.generations()? {
        if !store.is_valid(&generation.path)? && profile.current()? != Some(generation.number) {
            stale.push(generation.number);
        }
    }
    profile.delete(&stale)?;
    Ok(Changes { registered, forgotten: gone.len() })
}

#[cfg(test)]
mod tests {
    use nix_formats::StorePath;

    use super::*;

    fn store(folder: &Path) -> Store {
        Store::open(StoreOptions::new(folder)).unwrap()
    }

    /// Adds a system to the host and lets its files show through in the machine.
    fn system(host: &Store, machine: &Store, name: &str) -> (StorePath, String) {
        let part = host.add_text(&format!("{name}-part"), name.as_bytes(), Default::default()).unwrap();
        let path = host.add_text(name, name.as_bytes(), [part.clone()].into()).unwrap();
        for path in [&part, &path] {
            std::fs::copy(host.physical(path), machine.physical(path)).unwrap();
        }
        let closure = host.closure_in_order([&path]).unwrap();
        (path, host.dump_registrations(&closure).unwrap())
    }

    #[test]
    fn each_boot_learns_what_is_there_and_forgets_what_is_gone() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (host, machine) = (store(folders[0].path()), store(folders[1].path()));
        let (first, text) = system(&host, &machine, "first");
        let boot = |path: &StorePath, text: &str| register_in(&machine, text, &machine.physical(path)).unwrap();
        assert_eq!(boot(&first, &text), Changes { registered: 2, forgotten: 0 });
        assert_eq!(boot(&first, &text), Changes { registered: 0, forgotten: 0 });
        let own = machine.add_text("own", b"own", [first.clone()].into()).unwrap();
        let (second, text) = system(&host, &machine, "second");
        std::fs::remove_file(machine.physical(&first)).unwrap();
        // The first system, and what the machine made of it; its part is still there.
        assert_eq!(boot(&second, &text), Changes { registered: 2, forgotten: 2 });
        assert!(!machine.is_valid(&own).unwrap() && machine.is_valid(&second).unwrap());
        let profile = system_profile(&machine);
        let generations: Vec<_> = profile.generations().unwrap().into_iter().map(|g| g.path).collect();
        assert_eq!((generations, profile.current().unwrap()), (vec![second], Some(2)));
    }
}
