//! /etc: the manifest of a generation → what is there → a plan → /etc.
//!
//! Most of /etc are links to `/etc/static/…`, and `/etc/static` is a link to `/run/current-system/etc`: renaming
//! `/run/current-system` switches them all at once. What cannot be a link (another mode or owner, programs that refuse
//! links) is copied. Local edits follow one rule: **where the new generation declares the same as the old, an edit
//! stays and is reported; where the declaration changed, the declaration wins and the edit is moved to
//! `/etc/.esker-replaced/`.** A declared path that somebody removed is put back. Undeclared files are never touched.

mod apply;
mod manifest;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use apply::{StepFailure, apply_additions, apply_changes, load_record};
pub use manifest::{EtcEntry, EtcKind, EtcManifest, EtcRecord, ManifestError, RESERVED};
pub use observe::{ObservedEtc, observe};
pub use plan::{EtcPlan, EtcStep, plan_etc};
