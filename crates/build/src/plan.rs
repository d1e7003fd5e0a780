//! What is to be done for the outputs asked for: a value that can be printed before it is applied.
//!
//! From the roots down: an output that is valid ends the search there, one that a cache has is substituted with all it
//! refers to, else its derivation is built and its inputs are looked at in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use nix_formats::{Derivation, NarInfo, StorePath};
use store::Store;

use crate::error::BuildError;
use crate::fetchurl::is_fetchurl;
use crate::substitute::Substituter;

/// Which outputs of a derivation are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputSelection {
    /// All of them.
    All,
    /// These.
    Names(BTreeSet<String>),
}

/// Outputs to realise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildTarget {
    /// The derivation; its file is in the store.
    pub drv: StorePath,
    /// Which outputs.
    pub outputs: OutputSelection,
}

impl BuildTarget {
    /// All outputs of a derivation.
    #[must_use]
    pub fn all(drv: StorePath) -> Self {
        Self { drv, outputs: OutputSelection::All }
    }
}

/// A derivation to build or fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBuild {
    /// Its store path.
    pub drv: StorePath,
    /// Itself.
    pub derivation: Derivation,
    /// All its outputs.
    pub outputs: BTreeMap<String, StorePath>,
    /// The paths it needs: inputs' outputs and sources.
    pub inputs: BTreeSet<StorePath>,
}

/// A path to copy from a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSubstitution {
    /// What the cache says about it, signature checked.
    pub info: NarInfo,
    /// Which cache, by its place in the list.
    pub cache: usize,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildPlan {
    /// Derivations to build, by their paths.
    pub to_build: BTreeMap<StorePath, PlannedBuild>,
    /// `builtin:fetchurl` derivations, fetched together.
    pub to_fetch: BTreeMap<StorePath, PlannedBuild>,
    /// Paths to copy from caches.
    pub to_substitute: BTreeMap<StorePath, PlannedSubstitution>,
    /// Paths that were found valid at the ends of the search.
    pub valid: BTreeSet<StorePath>,
    /// For each derivation asked for, the outputs asked for.
    pub outputs: BTreeMap<StorePath, BTreeMap<String, StorePath>>,
}

impl BuildPlan {
    /// Whether everything is there already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to_build.is_empty() && self.to_fetch.is_empty() && self.to_substitute.is_empty()
    }

    /// The plan for people: what would be built, fetched and copied, one line each. Empty when there is nothing to do.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        let mut section = |what: &str, names: Vec<String>| {
            if !names.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{what} ({}):", names.len());
                for name in names {
                    let _ = writeln!(text, "  {name}");
                }
            }
        };
        section("to build", self.to_build.keys().map(ToString::to_string).collect());
        section("to fetch", self.to_fetch.values().map(|fetch| fetch.derivation.name.clone()).collect());
        let substitute = |(path, planned): (&StorePath, &PlannedSubstitution)| {
            format!("{path} ({} bytes)", planned.info.file_size_bytes.unwrap_or(planned.info.nar_size_bytes))
        };
        section("to copy from caches", self.to_substitute.iter().map(substitute).collect());
        text
    }
}

/// Makes a plan. Everything it mentions is protected from the collector from here on.
pub(crate) fn plan_build(
    store: &Store,
    substituter: &Substituter<'_>,
    targets: &[BuildTarget],
) -> Result<BuildPlan, BuildError> {
    let mut planner = Planner { store, substituter, plan: BuildPlan::default(), seen: BTreeSet::new() };
    let mut frontier = Vec::new();
    for target in targets {
        let wanted = planner.wanted(target)?;
        planner.plan.outputs.entry(target.drv.clone()).or_default().extend(wanted.outputs.clone());
        frontier.push(wanted);
    }
    while !frontier.is_empty() {
        frontier = planner.advance(frontier)?;
    }
    Ok(planner.plan)
}

/// Makes a plan that copies paths with all that they refer to, whatever made them.
pub(crate) fn plan_copy(
    store: &Store,
    substituter: &Substituter<'_>,
    paths: &BTreeSet<StorePath>,
) -> Result<BuildPlan, BuildError> {
    let mut planner = Planner { store, substituter, plan: BuildPlan::default(), seen: BTreeSet::new() };
    if planner.plan_substitutions(paths)? {
        return Ok(planner.plan);
    }
    Err(BuildError::NotInCaches { paths: paths.iter().cloned().collect() })
}

struct Planner<'p> {
    store: &'p Store,
    substituter: &'p Substituter<'p>,
    plan: BuildPlan,
    /// Derivations and outputs already looked at.
    seen: BTreeSet<(StorePath, String)>,
}

struct Wanted {
    drv: StorePath,
    derivation: Derivation,
    outputs: BTreeMap<String, StorePath>,
}

impl Planner<'_> {
    fn wanted(&self, target: &BuildTarget) -> Result<Wanted, BuildError> {
        let derivation = self.store.read_derivation(&target.drv)?;
        let names: BTreeSet<String> = match &target.outputs {
            OutputSelection::All => derivation.outputs.keys().cloned().collect(),
            OutputSelection::Names(names) => names.clone(),
        };
        let outputs = names
            .into_iter()
            .map(|name| output_path(&target.drv, &derivation, &name).map(|path| (name, path)))
            .collect::<Result<_, _>>()?;
        Ok(Wanted { drv: target.drv.clone(), derivation, outputs })
    }

    /// Decides about one generation of derivations and returns the next: the inputs of those that must be built.
    fn advance(&mut self, frontier: Vec<Wanted>) -> Result<Vec<Wanted>, BuildError> {
        let paths = frontier.iter().flat_map(|wanted| wanted.outputs.values().chain([&wanted.drv]));
        self.store.add_temp_roots(paths)?;
        let valid = self.store.valid_among(frontier.iter().flat_map(|wanted| wanted.outputs.values()))?;
        let mut undecided = Vec::new();
        for wanted in frontier {
            let missing: BTreeSet<StorePath> =
                wanted.outputs.values().filter(|path| !valid.contains(*path)).cloned().collect();
            if !missing.is_empty() {
                undecided.push((wanted, missing));
            }
        }
        self.plan.valid.extend(valid);
        let ask = undecided.iter().filter(|(wanted, _)| may_substitute(&wanted.derivation));
        self.substituter.prefetch(ask.flat_map(|(_, missing)| missing.iter().cloned()).collect());
        let mut next = BTreeMap::new();
        for (wanted, missing) in undecided {
            if may_substitute(&wanted.derivation) && self.plan_substitutions(&missing)? {
                continue;
            }
            self.plan_one_build(wanted, &mut next)?;
        }
        next.into_iter()
            .map(|(drv, names)| self.wanted(&BuildTarget { drv, outputs: OutputSelection::Names(names) }))
            .collect()
    }

    fn plan_one_build(
        &mut self,
        wanted: Wanted,
        next: &mut BTreeMap<StorePath, BTreeSet<String>>,
    ) -> Result<(), BuildError> {
        let Wanted { drv, derivation, .. } = wanted;
        if self.plan.to_build.contains_key(&drv) || self.plan.to_fetch.contains_key(&drv) {
            return Ok(());
        }
        let mut outputs = BTreeMap::new();
        for name in derivation.outputs.keys() {
            outputs.insert(name.clone(), output_path(&drv, &derivation, name)?);
        }
        let mut inputs = derivation.input_srcs.clone();
        for (input, wanted) in &derivation.input_drvs {
            if !wanted.dynamic.is_empty() {
                return Err(BuildError::DynamicInput { drv, input: input.clone() });
            }
            let input_derivation = self.store.read_derivation(input)?;
            for name in &wanted.names {
                inputs.insert(output_path(input, &input_derivation, name)?);
                if self.seen.insert((input.clone(), name.clone())) {
                    next.entry(input.clone()).or_default().insert(name.clone());
                }
            }
        }
        self.store.add_temp_roots(outputs.values().chain(&inputs))?;
        for source in &derivation.input_srcs {
            if !self.store.is_valid(source)? && !self.plan_substitutions(&BTreeSet::from([source.clone()]))? {
                return Err(BuildError::MissingInput { drv, path: source.clone() });
            }
        }
        let planned = PlannedBuild { drv: drv.clone(), derivation, outputs, inputs };
        let list = if is_fetchurl(&planned.derivation) { &mut self.plan.to_fetch } else { &mut self.plan.to_build };
        list.insert(drv, planned);
        Ok(())
    }

    /// Plans to copy the paths and what they refer to, if caches have all of it. `false` when they do not.
    fn plan_substitutions(&mut self, paths: &BTreeSet<StorePath>) -> Result<bool, BuildError> {
        let mut found = BTreeMap::new();
        let mut level = paths.clone();
        while !level.is_empty() {
            self.store.add_temp_roots(&level)?;
            let valid = self.store.valid_among(&level)?;
            level.retain(|path| !valid.contains(path) && !self.plan.to_substitute.contains_key(path));
            let mut next = BTreeSet::new();
            for path in &level {
                let Some((cache, info)) = self.substituter.find(path)? else {
                    return Ok(false);
                };
                next.extend(info.references.iter().filter(|reference| *reference != path).cloned());
                found.insert(path.clone(), PlannedSubstitution { info, cache });
            }
            next.retain(|path| !found.contains_key(path));
            self.substituter.prefetch(next.iter().cloned().collect());
            level = next;
        }
        self.plan.to_substitute.append(&mut found);
        Ok(true)
    }
}

fn output_path(drv: &StorePath, derivation: &Derivation, name: &str) -> Result<StorePath, BuildError> {
    let no_output = || BuildError::NoOutput { drv: drv.clone(), output: name.to_owned() };
    let output = derivation.outputs.get(name).ok_or_else(no_output)?;
    let unknown = || BuildError::UnknownOutputPath { drv: drv.clone(), output: name.to_owned() };
    output.path().cloned().ok_or_else(unknown)
}

/// Whether the derivation lets its outputs come from a cache (`allowSubstitutes`).
fn may_substitute(derivation: &Derivation) -> bool {
    let attributes = crate::builtin::attributes_of(derivation).unwrap_or_default();
    match attributes.get("allowSubstitutes") {
        Some(serde_json::Value::Bool(allowed)) => *allowed,
        Some(serde_json::Value::String(text)) => !text.is_empty(),
        _ => true,
    }
}
