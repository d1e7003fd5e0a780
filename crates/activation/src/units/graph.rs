//! What a generation wants to run: the units reached from its active targets. Reads unit files through the view.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::file::Unit;
use super::view::{Found, GenerationView, kind_of};

/// The units of one generation, read once.
pub(super) struct Generation<'a> {
    pub(super) view: &'a GenerationView,
    units: BTreeMap<String, Found>,
    names: BTreeMap<String, String>,
}

/// Units reached from the active targets.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    /// Started because something wants or requires it → by what.
    pub(super) pulled: BTreeMap<String, String>,
    /// Those, and what sockets, timers and paths among them may start at any time.
    pub(super) kept: BTreeSet<String>,
}

impl<'a> Generation<'a> {
    pub(super) fn new(view: &'a GenerationView) -> Self {
        Self { view, units: BTreeMap::new(), names: BTreeMap::new() }
    }

    pub(super) fn found(&mut self, name: &str) -> io::Result<&Found> {
        if !self.units.contains_key(name) {
            let found = self.view.unit(name)?;
            self.units.insert(name.to_owned(), found);
        }
        Ok(self.units.get(name).unwrap_or(&Found::Missing))
    }

    /// The unit, if it exists and is not masked.
    pub(super) fn unit(&mut self, name: &str) -> io::Result<Option<Unit>> {
        Ok(match self.found(name)? {
            Found::Unit(unit) => Some(unit.clone()),
            Found::Missing | Found::Masked => None,
        })
    }

    fn canonical(&mut self, name: &str) -> io::Result<String> {
        if let Some(known) = self.names.get(name) {
            return Ok(known.clone());
        }
        let canonical = self.view.canonical_name(name)?;
        self.names.insert(name.to_owned(), canonical.clone());
        Ok(canonical)
    }

    /// Follows wants and requirements from the given units (and from devices, which appear on their own).
    pub(super) fn reach(&mut self, roots: &BTreeSet<String>) -> io::Result<Reached> {
        let mut reached = Reached::default();
        let mut pending: Vec<(String, String)> = roots.iter().map(|root| (root.clone(), root.clone())).collect();
        pending.extend(self.view.device_dependents()?.into_iter().map(|unit| (unit, "its device".to_owned())));
        while let Some((name, wanted_by)) = pending.pop() {
            let name = self.canonical(&name)?;
            if reached.pulled.contains_key(&name) {
                continue;
            }
            reached.pulled.insert(name.clone(), wanted_by);
            pending.extend(self.dependencies(&name)?.into_iter().map(|unit| (unit, name.clone())));
        }
        let mut pending: Vec<String> = reached.pulled.keys().cloned().collect();
        while let Some(name) = pending.pop() {
            let name = self.canonical(&name)?;
            if reached.kept.insert(name.clone()) {
                pending.extend(self.dependencies(&name)?);
                pending.extend(self.triggered(&name)?);
            }
        }
        Ok(reached)
    }

    /// What starts with a unit.
    fn dependencies(&mut self, name: &str) -> io::Result<Vec<String>> {
        let mut units = Vec::new();
        if let Some(unit) = self.unit(name)? {
            for key in ["Wants", "Requires", "BindsTo", "Upholds"] {
                units.extend(unit.words("Unit", key).map(str::to_owned));
            }
            units.extend(unit.words("Service", "Sockets").map(str::to_owned));
        }
        for suffix in ["wants", "requires", "upholds"] {
            units.extend(self.view.linked_units(name, suffix)?);
        }
        Ok(units)
    }

    /// What a socket, timer, path or automount starts later.
    fn triggered(&mut self, name: &str) -> io::Result<Vec<String>> {
        let (section, key, kind) = match kind_of(name) {
            "socket" => ("Socket", "Service", "service"),
            "timer" => ("Timer", "Unit", "service"),
            "path" => ("Path", "Unit", "service"),
            "automount" => ("Automount", "Unit", "mount"),
            _ => return Ok(Vec::new()),
        };
        let Some(unit) = self.unit(name)? else {
            return Ok(Vec::new());
        };
        let explicit = unit.value(section, key).map(str::to_owned);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        Ok(vec![explicit.unwrap_or_else(|| format!("{stem}.{kind}"))])
    }
}
