//! Users and groups: what is declared and what the machine has → a plan → the six account files and home directories.
//!
//! The meaning of each attribute is that of NixOS's `users.users` and `users.groups`, with these rules on top:
//! ids never change once given (they are remembered even after the account is gone); a declared account that leaves
//! the configuration is removed, one made with `useradd` stays unless `mutableUsers` is false; /etc is a tmpfs, so the
//! files live on in `<stateDirectory>/etc` and are merged back at boot.

mod apply;
mod database;
mod ids;
mod merge;
mod observe;
mod password;
mod plan;
mod spec;
mod sub_ids;
#[cfg(test)]
mod tests;

pub use apply::{apply_accounts, sync_accounts};
pub use database::{GroupEntry, GshadowEntry, PasswdEntry, ShadowEntry, SubIdEntry};
pub use merge::{Mutability, plan_accounts};
pub use observe::{AccountsState, ObservedAccounts, observe};
pub use password::{PasswordError, RandomSalts, SaltSource};
pub use plan::{AccountChange, AccountsPlan, HomeStep};
pub use spec::{AccountsSpec, GroupSpec, SubIdRange, UserSpec};

/// The account files, in the order in which they are written: what is only looked up by name comes first, so that a
/// cut in between leaves entries without an account, never an account without its password.
pub(crate) const ACCOUNT_FILES: [&str; 6] = ["gshadow", "shadow", "subuid", "subgid", "group", "passwd"];
