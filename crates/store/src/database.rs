//! The SQLite database: rows in, rows out. Knows no files beyond its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix_formats::signature::Signature;
use nix_formats::{Hash, StoreDir, StorePath};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, params};

use crate::layout::Layout;
use crate::path_info::{NarDigest, PathInfo};
use crate::schema;
use crate::{Durability, StoreError};

/// As long as another process may keep the database before we give up. Its transactions take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3600);

const INFO_COLUMNS: &str = "id, path, hash, narSize, deriver, ultimate, sigs, ca";

pub(crate) struct Database {
    connection: Connection,
    path: PathBuf,
    dir: StoreDir,
}

/// A row's id and what the row says, references aside.
type InfoRow = (i64, PathInfo);

/// Creates file and tables.
pub(crate) fn create(layout: &Layout) -> Result<(), StoreError> {
    let database = Database::open(layout, Durability::PowerCut)?;
    database.run("create the tables", |connection| connection.execute_batch(schema::TABLES))
}

impl Database {
    pub(crate) fn open(layout: &Layout, durability: Durability) -> Result<Self, StoreError> {
        let path = layout.db_file();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Self::connect(layout, &path.clone(), flags)?;
        database.run("configure the connection", |connection| {
            // `full`, because a generation that is in the boot menu after a power cut must be registered: `normal` does not
            // sync the log at the end of a transaction. The autocheckpoint is Nix's.
            let synchronous = match durability {
                Durability::PowerCut => "full",
                Durability::Throwaway => "off",
            };
            connection.execute_batch(&format!(
                "pragma foreign_keys = 1; pragma journal_mode = wal; pragma synchronous = {synchronous}; \
                 pragma wal_autocheckpoint = 40000;"
            ))
        })?;
        Ok(database)
    }

    /// Opens a database that may belong to somebody else.
    pub(crate) fn open_read_only(layout: &Layout) -> Result<Self, StoreError> {
        let path = layout.db_file();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let probe = |database: &Self| {
            database.run("read", |connection| {
                connection.query_row("select count(*) from sqlite_master", [], |row| row.get::<_, i64>(0))
            })
        };
        let ordinary = Self::connect(layout, &path, flags)?;
        if probe(&ordinary).is_ok() {
            return Ok(ordinary);
        }
        // Without write permission for the shared-memory file of a log, SQLite reads only what it is told will not change.
        let mut uri = String::from("file:");
        for byte in path.as_os_str().as_encoded_bytes() {
            match byte {
                b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
                other => uri.push_str(&format!("%{other:02X}")),
            }
        }
        uri.push_str("?immutable=1");
        let immutable = Self::connect(layout, Path::new(&uri), flags | OpenFlags::SQLITE_OPEN_URI)?;
        probe(&immutable)?;
        Ok(immutable)
    }

    fn connect(layout: &Layout, file: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let path = layout.db_file();
        let connection = Connection::open_with_flags(file, flags)
            .and_then(|connection| connection.busy_timeout(BUSY_TIMEOUT).map(|()| connection));
        match connection {
            Ok(connection) => Ok(Self { connection, path, dir: layout.store_dir().clone() }),
            Err(source) => Err(wrap("open", &path, source)),
        }
    }

    fn run<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&self.connection).map_err(|source| wrap(action, &self.path, source))
    }

    fn value_error(&self, what: &'static str, value: &str) -> StoreError {
        StoreError::DatabaseValue { path: self.path.clone(), what, value: value.to_owned() }
    }

    fn parse_path(&self, text: &str) -> Result<StorePath, StoreError> {
        self.dir.parse(text).map_err(|_| self.value_error("store path", text))
    }

    pub(crate) fn is_valid(&self, path: &StorePath) -> Result<bool, StoreError> {
        Ok(self.row_id(path)?.is_some())
    }

    pub(crate) fn row_id(&self, path: &StorePath) -> Result<Option<i64>, StoreError> {
        self.run("look up a path", |connection| {
            connection
                .prepare_cached("select id from ValidPaths where path = ?1")?
                .query_row([self.dir.display(path)], |row| row.get(0))
                .optional()
        })
    }

    pub(crate) fn info(&self, path: &StorePath) -> Result<Option<PathInfo>, StoreError> {
        let raw = self.run("read a path's row", |connection| {
            connection
                .prepare_cached(&format!("select {INFO_COLUMNS} from ValidPaths where path = ?1"))?
                .query_row([self.dir.display(path)], raw_info)
                .optional()
        })?;
        let Some(raw) = raw else { return Ok(None) };
        let (id, mut info) = self.typed_info(raw)?;
        info.references =
            self.paths_of("select path from Refs join ValidPaths on reference = id where referrer = ?1", params![id])?;
        Ok(Some(info))
    }

    fn typed_info(&self, raw: RawInfo) -> Result<InfoRow, StoreError> {
        let hash = Hash::parse(&raw.hash, None).map_err(|_| self.value_error("hash", &raw.hash))?;
        let size_bytes = raw.nar_size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        let mut info = PathInfo::new(self.parse_path(&raw.path)?, NarDigest { hash, size_bytes });
        info.ultimate = raw.ultimate == Some(1);
        info.deriver = match raw.deriver {
            Some(text) if !text.is_empty() => Some(self.parse_path(&text)?),
            _ => None,
        };
        for text in raw.sigs.unwrap_or_default().split_whitespace() {
            let signature: Signature = text.parse().map_err(|_| self.value_error("signature", text))?;
            info.signatures.push(signature);
        }
        info.content_address = match raw.ca {
            Some(text) if !text.is_empty() => {
                Some(text.parse().map_err(|_| self.value_error("content address", &text))?)
            }
            _ => None,
        };
        Ok((raw.id, info))
    }

    fn paths_of(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<BTreeSet<StorePath>, StoreError> {
        let texts: Vec<String> = self.run("read paths", |connection| {
            connection.prepare_cached(sql)?.query_map(parameters, |row| row.get(0))?.collect()
        })?;
        texts.iter().map(|text| self.parse_path(text)).collect()
    }

    pub(crate) fn references(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        self.paths_of(
            "select r.path from ValidPaths p join Refs on referrer = p.id join ValidPaths r on reference = r.id \
             where p.path = ?1",
            [self.dir.display(path)],
        )
    }

    pub(crate) fn referrers(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        self.paths_of(
            "select r.path from ValidPaths p join Refs on reference = p.id join ValidPaths r on referrer = r.id \
             where p.path = ?1",
            [self.dir.display(path)],
        )
    }

    pub(crate) fn valid_derivers(&self, path: &StorePath) -> Result<BTreeSet<StorePath>, StoreError> {
        self.paths_of(
            "select p.path from DerivationOutputs d join ValidPaths p on d.drv = p.id where d.path = ?1",
            [self.dir.display(path)],
        )
    }

    pub(crate) fn derivation_outputs(&self, drv: &StorePath) -> Result<BTreeMap<String, StorePath>, StoreError> {
        let rows: Vec<(String, String)> = self.run("read a derivation's outputs", |connection| {
            connection
                .prepare_cached(
                    "select d.id, d.path from DerivationOutputs d join ValidPaths p on d.drv = p.id where p.path = ?1",
                )?
                .query_map([self.dir.display(drv)], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        rows.into_iter().map(|(name, path)| Ok((name, self.parse_path(&path)?))).collect()
    }

    pub(crate) fn all_valid(&self) -> Result<BTreeSet<StorePath>, StoreError> {
        self.paths_of("select path from ValidPaths", [])
    }

    /// The whole reference graph at once: cheaper than a query per path when most of it is needed.
    pub(crate) fn graph(&self) -> Result<BTreeMap<StorePath, BTreeSet<StorePath>>, StoreError> {
        let mut graph: BTreeMap<StorePath, BTreeSet<StorePath>> =
            self.all_valid()?.into_iter().map(|path| (path, BTreeSet::new())).collect();
        let edges: Vec<(String, String)> = self.run("read all references", |connection| {
            connection
                .prepare_cached(
                    "select a.path, b.path from Refs join ValidPaths a on referrer = a.id \
                     join ValidPaths b on reference = b.id",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        for (from, to) in edges {
            graph.entry(self.parse_path(&from)?).or_default().insert(self.parse_path(&to)?);
        }
        Ok(graph)
    }

    pub(crate) fn path_from_hash_part(&self, hash_part: &str) -> Result<Option<StorePath>, StoreError> {
        let prefix = format!("{}/{hash_part}", self.dir.as_str());
        let text: Option<String> = self.run("look up a hash part", |connection| {
            connection
                .prepare_cached("select path from ValidPaths where path >= ?1 limit 1")?
                .query_row([&prefix], |row| row.get(0))
                .optional()
        })?;
        match text {
            Some(text) if text.starts_with(&prefix) => Ok(Some(self.parse_path(&text)?)),
            _ => Ok(None),
        }
    }

    /// Registers paths and the outputs of derivations among them, in one transaction. References must be valid or among
    /// the new paths.
    pub(crate) fn register(&mut self, paths: &[Registration<'_>], time: i64) -> Result<(), StoreError> {
        let (path, dir) = (self.path.clone(), self.dir.clone());
        let failed = |source| wrap("register paths", &path, source);
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        for new in paths {
            insert(&transaction, &dir, new, time).map_err(failed)?;
        }
        for new in paths {
            for reference in &new.info.references {
                let added = transaction
                    .prepare_cached(
                        "insert or replace into Refs (referrer, reference) select a.id, b.id from ValidPaths a, \
                         ValidPaths b where a.path = ?1 and b.path = ?2",
                    )
                    .and_then(|mut s| s.execute(params![dir.display(&new.info.path), dir.display(reference)]))
                    .map_err(failed)?;
                if added == 0 {
                    return Err(StoreError::InvalidReference {
                        path: new.info.path.clone(),
                        reference: reference.clone(),
                    });
                }
            }
        }
        transaction.commit().map_err(failed)
    }

    /// Forgets paths, whose referrers must be among them, in one transaction.
    pub(crate) fn unregister<'p>(
        &mut self,
        paths: impl IntoIterator<Item = &'p StorePath> + Clone,
    ) -> Result<(), StoreError> {
        let (path, dir) = (self.path.clone(), self.dir.clone());
        let work = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for path in paths.clone() {
                transaction
                    .prepare_cached("delete from Refs where referrer in (select id from ValidPaths where path = ?1)")?
                    .execute([dir.display(path)])?;
            }
            for path in paths {
                transaction.prepare_cached("delete from ValidPaths where path = ?1")?.execute([dir.display(path)])?;
            }
            transaction.commit()
        };
        work(&mut self.connection).map_err(|source| wrap("unregister paths", &path, source))
    }

    /// SQLite's own check; the empty list means that nothing is wrong.
    pub(crate) fn integrity_problems(&self) -> Result<Vec<String>, StoreError> {
        let lines: Vec<String> = self.run("check integrity", |connection| {
            connection.prepare("pragma integrity_check")?.query_map([], |row| row.get(0))?.collect()
        })?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}

/// A path to register.
pub(crate) struct Registration<'i> {
    pub(crate) info: &'i PathInfo,
    /// For a derivation, the outputs whose paths are known.
    pub(crate) outputs: BTreeMap<String, StorePath>,
}

fn insert(connection: &Connection, dir: &StoreDir, new: &Registration<'_>, time: i64) -> rusqlite::Result<()> {
    let info = new.info;
    let signatures: Vec<String> = info.signatures.iter().map(ToString::to_string).collect();
    // An update keeps the row's id, and with it the references from others.
    connection
        .prepare_cached(
            "insert into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (path) do update set hash = ?2, narSize = ?5, \
             ultimate = ?6, sigs = ?7, ca = ?8",
        )?
        .execute(params![
            dir.display(&info.path),
            info.nar.hash.to_prefixed_base16(),
            time,
            info.deriver.as_ref().map(|deriver| dir.display(deriver)),
            i64::try_from(info.nar.size_bytes).unwrap_or(i64::MAX),
            info.ultimate.then_some(1),
            (!signatures.is_empty()).then(|| signatures.join(" ")),
            info.content_address.as_ref().map(ToString::to_string),
        ])?;
    for (name, path) in &new.outputs {
        connection
            .prepare_cached(
                "insert or replace into DerivationOutputs (drv, id, path) \
                 select id, ?2, ?3 from ValidPaths where path = ?1",
            )?
            .execute(params![dir.display(&info.path), name, dir.display(path)])?;
    }
    Ok(())
}

struct RawInfo {
    id: i64,
    path: String,
    hash: String,
    nar_size: Option<i64>,
    deriver: Option<String>,
    ultimate: Option<i64>,
    sigs: Option<String>,
    ca: Option<String>,
}

fn raw_info(row: &Row<'_>) -> rusqlite::Result<RawInfo> {
    Ok(RawInfo {
        id: row.get(0)?,
        path: row.get(1)?,
        hash: row.get(2)?,
        nar_size: row.get(3)?,
        deriver: row.get(4)?,
        ultimate: row.get(5)?,
        sigs: row.get(6)?,
        ca: row.get(7)?,
    })
}

fn wrap(action: &'static str, path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::DatabaseCorrupt { path, source },
        _ => StoreError::Database { action, path, source },
    }
}
