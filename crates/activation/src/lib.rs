//! From an old toplevel to a new one on the running machine.
//!
//! Observe → pure plan → `describe()` → apply: a dry run prints the very value that apply consumes. Evaluates nothing,
//! builds nothing, and knows no boot loader: [`switch`] is handed a callback that writes boot entries. All absolute paths
//! go through [`Root`], so the whole of it runs below a directory in tests.

pub mod accounts;
pub mod boot;
mod capabilities;
pub mod container;
pub mod etc;
pub mod growth;
pub mod lock;
pub mod machine;
pub mod persistence;
mod root;
pub mod switch;
pub mod system;
pub mod systemd;
pub mod toplevel;
pub mod trial;
pub mod units;
mod views;
pub mod wrappers;

pub use lock::SwitchLock;
pub use root::Root;
pub use switch::{Rollback, SwitchError, SwitchPlan, SwitchReport, apply_switch, plan_switch};
pub use system::{ApplyError, PlanError, SystemPlan, apply_system, plan_system};
pub use systemd::{ServiceManager, Systemctl};
pub use toplevel::{ActivationConfig, Toplevel, ToplevelError};
