//! What the language gets from the pinned archive: builtins that `pkgs/` and `modules/` are written on.
//!
//! | builtin | is |
//! |---|---|
//! | `__debianPackages system` | name → record of the package's candidate, each read when it is needed |
//! | `__debianSolve { system, roots, recommends, exclude }` | the records of all that the roots need, in unpack order |
//! | `__debianRoots string` | the packages in the string's context, as `{ name, version }`, through generated files |
//! | `__systemId name` | the number of a system account |
//! | `__runtime system` | the path of Esker's own programs for a target |
//! | `__share` | the paths of the library, modules and package set that this evaluation uses: `{ lib, modules, pkgs }` |

use diagnostics::{causes, one_line};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use archive::solver::{Essential, Recommends, Request, Root, SolvedPackage};
use archive::{Architecture, Archive, Package};
use lang::{Element, Error, Eval, Value};
use nix_formats::{Derivation, StorePath};

use crate::world::StoreIo;
use crate::{Locations, Session, Subject, SystemError};

/// Registers the builtins.
///
/// Errors when the lock cannot be read.
pub(crate) fn install<'a>(
    eval: &Eval<'a>,
    session: &Session,
    subject: &Subject,
    io: &Rc<StoreIo>,
) -> Result<(), SystemError> {
    let archive = Rc::new(session.archive(subject.configuration())?);
    io.observe_file(&subject.configuration().lock);

    let packages = archive.clone();
    eval.register_native("__debianPackages", 1, move |eval, arguments| {
        let architecture = architecture(eval, arguments[0])?;
        candidates(eval, &packages, architecture)
    });
    let solver = archive;
    let world = io.clone();
    eval.register_native("__debianSolve", 1, move |eval, arguments| solve(eval, &solver, &world, arguments[0]));
    let world = io.clone();
    eval.register_native("__debianRoots", 1, move |eval, arguments| roots(eval, &world, arguments[0]));
    eval.register_native("__systemId", 1, move |eval, arguments| {
        let name = text(eval, arguments[0])?;
        Ok(Value::Int(i64::from(deb_formats::ids::system_id(&name))))
    });
    let world = io.clone();
    let runtimes = session.locations().clone();
    eval.register_native("__runtime", 1, move |eval, arguments| {
        let system = text(eval, arguments[0])?;
        runtime(eval, &world, &runtimes, &system)
    });
    let world = io.clone();
    let locations = session.locations().clone();
    let parts = eval.lazy(move |eval| {
        let mut parts = eval.attrs();
        for part in ["lib", "modules", "pkgs"] {
            // In a checkout these are links to the working tree.
            let folder = fs_err::canonicalize(locations.share.join(part)).map_err(archive_error)?;
            let memory = locations.cache.join("trees");
            let path = world.add_source(&format!("esker-{part}"), &folder, &memory).map_err(archive_error)?;
            parts = parts.entry(part, source_string(eval, &world, &path));
        }
        Ok(parts.finish())
    });
    eval.register_value("__share", parts);
    Ok(())
}

fn text<'a>(eval: &Eval<'a>, value: Value<'a>) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(eval.force_plain(value)?).into_owned())
}

fn architecture<'a>(eval: &Eval<'a>, value: Value<'a>) -> Result<Architecture, Error> {
    let system = text(eval, value)?;
    Architecture::parse(&system).ok_or_else(|| {
        Error::eval(format!("Debian has no packages for the system `{system}`"))
            .hint("x86_64-linux and aarch64-linux are supported")
    })
}

fn archive_error(error: impl std::error::Error + 'static) -> Error {
    Error::eval(one_line(&error))
}

/// What the package archive cannot do: the places in the package set where that came out explain nothing.
pub(crate) const ARCHIVE: &str = "package-archive";

/// The pinned archive cannot be read or is another than the lock says.
fn unusable(error: impl std::error::Error + 'static) -> Error {
    let hint = fetch_hint(&error);
    let mut error = archive_error(error);
    error.diagnostic_mut().code = ARCHIVE;
    if let Some(hint) = hint {
        return error.hint(hint);
    }
    if error.message().contains("wrong SHA-256") {
        return error.hint(
            "esker.lock does not match the archive: restore the lock from version control, or move it to the archive as \
             it is now with `esker update`",
        );
    }
    error
}

/// What can be done about a failed download that an error came from.
fn fetch_hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    causes(error).find_map(|error| error.downcast_ref::<archive::FetchError>()).and_then(archive::FetchError::hint)
}

fn unsolvable(error: impl std::error::Error + 'static) -> Error {
    let mut error = archive_error(error);
    error.diagnostic_mut().code = ARCHIVE;
    error.hint(
        "packages come from `environment.systemPackages`, from modules that are enabled and from what they need; \
         `esker option environment.systemPackages` shows who asked for what",
    )
}

/// All names of an architecture, each with its candidate's record.
fn candidates<'a>(eval: &Eval<'a>, archive: &Rc<Archive>, architecture: Architecture) -> Result<Value<'a>, Error> {
    let mut set = eval.attrs();
    for name in archive.names(architecture).map_err(unusable)? {
        let symbol = eval.sym(&name);
        let archive = archive.clone();
        let record = eval.lazy(move |eval| match archive.candidate(&name, architecture).map_err(unusable)? {
            Some(package) => Ok(candidate_record(eval, &package)),
            None => Err(Error::eval(format!("the package `{name}` is not in the archive"))),
        });
        set.insert(symbol, diagnostics::Pos::NONE, record);
    }
    Ok(set.finish())
}

/// What candidates and solved packages have in common.
struct Facts<'p> {
    name: &'p str,
    version: &'p str,
    architecture: &'p str,
    filename: &'p str,
    sha256: &'p str,
    size: u64,
    origin: &'p str,
    summary: &'p str,
}

fn record<'a>(eval: &Eval<'a>, facts: &Facts<'_>, section: &str, depends: Value<'a>) -> Value<'a> {
    eval.attrs()
        .entry("name", eval.string(facts.name))
        .entry("version", eval.string(facts.version))
        .entry("architecture", eval.string(facts.architecture))
        .entry("filename", eval.string(facts.filename))
        .entry("sha256", eval.string(facts.sha256))
        .entry("size", Value::Int(i64::try_from(facts.size).unwrap_or(i64::MAX)))
        .entry("origin", eval.string(facts.origin))
        .entry("description", eval.string(facts.summary))
        .entry("section", eval.string(section))
        .entry("depends", depends)
        .finish()
}

/// A candidate; `depends` is the text of its control file.
fn candidate_record<'a>(eval: &Eval<'a>, package: &Package) -> Value<'a> {
    let facts = Facts {
        name: &package.name,
        version: &package.version,
        architecture: &package.architecture,
        filename: &package.filename,
        sha256: &package.sha256,
        size: package.size,
        origin: package.mirror.as_str(),
        summary: &package.summary,
    };
    record(eval, &facts, &package.section, eval.string(&package.depends))
}

/// A package of a solution; `depends` are the names of those that satisfy what it needs.
fn solved_record<'a>(eval: &Eval<'a>, package: &SolvedPackage) -> Value<'a> {
    let facts = Facts {
        name: &package.name,
        version: &package.version,
        architecture: &package.architecture,
        filename: &package.filename,
        sha256: &package.sha256,
        size: package.size,
        origin: package.mirror.as_str(),
        summary: &package.summary,
    };
    let depends = eval.list(package.needs.iter().map(|name| eval.string(name)).collect::<Vec<_>>());
    record(eval, &facts, "", depends)
}

fn solve<'a>(eval: &Eval<'a>, archive: &Archive, io: &StoreIo, argument: Value<'a>) -> Result<Value<'a>, Error> {
    let mut roots = Vec::new();
    for root in eval.force_list(eval.select(argument, "roots")?)?.iter() {
        let name = text(eval, eval.select(root, "name")?)?;
        let version = text(eval, eval.select(root, "version")?)?;
        let wanted_by = text(eval, eval.select(root, "wantedBy")?)?;
        roots.push(Root { relation: format!("{name} (= {version})"), wanted_by });
    }
    roots.sort();
    roots.dedup();
    let mut exclude = Vec::new();
    for name in eval.force_list(eval.select(argument, "exclude")?)?.iter() {
        exclude.push(Root { relation: text(eval, name)?, wanted_by: "system.excludedPackages".to_owned() });
    }
    let request = Request {
        architecture: architecture(eval, eval.select(argument, "system")?)?,
        roots,
        recommends: if eval.force_bool(eval.select(argument, "recommends")?)? {
            Recommends::All
        } else {
            Recommends::No
        },
        essential: Essential::Ignore,
        exclude,
    };
    let solution = archive.solve(&request).map_err(unsolvable)?;
    io.note_solution(&solution.packages);
    let records: Vec<_> = solution.packages.iter().map(|package| solved_record(eval, package)).collect();
    Ok(eval.list(records))
}

/// The packages that a string's context leads to. Generated files (`builtin:tree`) are looked through, since what they
/// mention runs on the machine; what a sandboxed build used is not.
fn roots<'a>(eval: &Eval<'a>, io: &StoreIo, argument: Value<'a>) -> Result<Value<'a>, Error> {
    let string = eval.force_str(argument)?;
    let mut queue: Vec<StorePath> = Vec::new();
    for element in string.context().map(lang::Context::elements).unwrap_or_default() {
        if let Element::DrvDeep(drv) | Element::Built(drv, _) = element {
            let base = drv.rsplit('/').next().unwrap_or(drv);
            queue.push(StorePath::from_base_name(base).map_err(archive_error)?);
        }
    }
    let mut seen = BTreeSet::new();
    let mut found = BTreeMap::new();
    while let Some(path) = queue.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let derivation = lang::io::EvalIo::read_derivation(io, &path).map_err(archive_error)?;
        match derivation.builder.as_slice() {
            b"builtin:unpack-deb" => {
                let (name, version) = package_of(&derivation)?;
                found.insert(name, version);
            }
            b"builtin:tree" => queue.extend(derivation.input_drvs.keys().cloned()),
            _ => {}
        }
    }
    let roots = found.iter().map(|(name, version)| {
        eval.attrs().entry("name", eval.string(name)).entry("version", eval.string(version)).finish()
    });
    Ok(eval.list(roots.collect::<Vec<_>>()))
}

fn package_of(derivation: &Derivation) -> Result<(String, String), Error> {
    let malformed = || Error::eval(format!("`{}` does not say which package it is", derivation.name));
    let json = derivation.structured_attrs().ok_or_else(malformed)?;
    let attributes: serde_json::Value = serde_json::from_slice(json).map_err(|_| malformed())?;
    let field = |name: &str| attributes[name].as_str().map(str::to_owned).ok_or_else(malformed);
    Ok((field("pname")?, field("version")?))
}

fn runtime<'a>(eval: &Eval<'a>, io: &StoreIo, locations: &Locations, system: &str) -> Result<Value<'a>, Error> {
    let folder = locations.runtime(system);
    if !folder.join("bin/init").exists() {
        let error = SystemError::NoRuntime { system: system.to_owned(), path: folder };
        let hint = error.hint().unwrap_or_default();
        return Err(Error::eval(error.to_string()).hint(hint));
    }
    let path = io.add_source("esker-runtime", &folder, &locations.cache.join("trees")).map_err(archive_error)?;
    Ok(source_string(eval, io, &path))
}

/// A source's path as a string that refers to it.
fn source_string<'a>(eval: &Eval<'a>, io: &StoreIo, path: &StorePath) -> Value<'a> {
    let logical: &str = eval.bump().alloc_str(&io.logical(path));
    eval.string_with_context(logical, vec![Element::Opaque(logical)])
}
