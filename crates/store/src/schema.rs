//! The database's schema, version 10, exactly as Nix makes it, and the files beside it.
//!
//! Older schemas are not converted: the Nix that made them does that.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use crate::layout::Layout;
use crate::locks::{FileLock, LockMode};
use crate::{Context as _, StoreError};

/// The only version read and written.
const VERSION: &str = "10";

/// Given up before a collection so that SQLite has room to work on a full disk. The size is Nix's.
const RESERVED_BYTES: u64 = 8 * 1024 * 1024;

/// The tables. `SchemaMigrations` is empty as long as content-addressed derivations are not enabled.
pub(crate) const TABLES: &str = "
create table if not exists ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null, -- base16 representation
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer, -- null implies \"false\"
    sigs             text, -- space-separated
    ca               text -- if not null, an assertion that the path is content-addressed; see ValidPathInfo
);
create table if not exists Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);
create index if not exists IndexReferrer on Refs(referrer);
create index if not exists IndexReference on Refs(reference);
create trigger if not exists DeleteSelfRefs before delete on ValidPaths
  begin
    delete from Refs where referrer = old.id and reference = old.id;
  end;
create table if not exists DerivationOutputs (
    drv  integer not null,
    id   text not null, -- symbolic output id, usually \"out\"
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
);
create index if not exists IndexDerivationOutputs on DerivationOutputs(path);
create table if not exists SchemaMigrations (migration text primary key not null);
";

/// Makes sure that the database folder has the right schema, and takes the lock that keeps it so.
///
/// Errors when it has another one.
pub(crate) fn prepare(layout: &Layout) -> Result<FileLock, StoreError> {
    let big_lock = layout.db().join("big-lock");
    let schema_file = layout.db().join("schema");
    reserve_space(layout)?;
    let lock = FileLock::wait(&big_lock, LockMode::Shared)?;
    match std::fs::read_to_string(&schema_file) {
        Ok(text) if text.trim() == VERSION => return Ok(lock),
        Ok(text) => {
            return Err(StoreError::Schema { path: layout.db(), found: text.trim().to_owned() });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("read", &schema_file),
    }
    drop(lock);
    let exclusive = FileLock::wait(&big_lock, LockMode::Exclusive)?;
    if !schema_file.exists() {
        crate::database::create(layout)?;
        // Written last: while it is absent, the next one to come begins again.
        let new = layout.db().join("schema.new");
        std::fs::write(&new, VERSION).context("write", &new)?;
        std::fs::rename(&new, &schema_file).context("rename", &new)?;
    }
    drop(exclusive);
    FileLock::wait(&big_lock, LockMode::Shared)
}

fn reserve_space(layout: &Layout) -> Result<(), StoreError> {
    let path = layout.db().join("reserved");
    if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() == RESERVED_BYTES) {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let Ok(file) = file else {
        return Ok(());
    };
    let len = i64::try_from(RESERVED_BYTES).unwrap_or(i64::MAX);
    // Only a convenience for a later collection: on a disk that is full already, work goes on without.
    match nix::fcntl::posix_fallocate(&file, 0, len) {
        Ok(()) => file.set_len(RESERVED_BYTES).context("resize", &path),
        Err(_) => std::fs::remove_file(&path).context("remove", &path),
    }
}

/// Gives up the reserved space.
pub(crate) fn release_reserved_space(layout: &Layout) -> Result<(), StoreError> {
    let path = layout.db().join("reserved");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove", &path),
        _ => Ok(()),
    }
}
