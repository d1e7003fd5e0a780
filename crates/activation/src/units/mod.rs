//! Services across a switch: unit files of the old and the new generation + what runs → what to stop, reload, restart and
//! start, each with its reason. The rules are in [`plan_units`]'s module; nothing here talks to systemd.

mod compare;
mod decide;
mod early_mounts;
mod file;
mod fstab;
mod graph;
mod plan;
mod policy;
mod program;
mod settings;
#[cfg(test)]
mod tests;
mod view;

pub use decide::plan_units;
pub use early_mounts::{EarlyMount, plan_early_mounts};
pub use file::Unit;
pub use plan::{ManagerReload, UnitAction, UnitPlan, UnitState, UnitStep};
pub use view::GenerationView;
