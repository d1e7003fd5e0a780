//! Why a boot cannot go on. The text says what to change; the phase that failed is added where it is printed.

use std::io;
use std::path::PathBuf;

use syscalls::{Errno, SyscallError};
use usr_view::ViewError;

use crate::settings::SettingsError;

/// An error of stage 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stage1Error {
    /// The command line does not say what to boot.
    #[error("the kernel's command line has no `init=`")]
    NoInit,
    /// The command line names no toplevel.
    #[error("`init={init}` is no toplevel's init")]
    BadInit { init: String },
    /// A parameter has a value that is not understood.
    #[error("the kernel parameter `{parameter}` has the value `{value}`, expected {expected}")]
    BadParameter { parameter: &'static str, value: String, expected: &'static str },
    /// The settings are not of their form.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A directory, file or link cannot be made.
    #[error("cannot make `{}`", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A module that is to be loaded is not in the initrd.
    #[error("the initrd has no module `{module}` for kernel {kernel}")]
    NoModule { module: String, kernel: String },
    /// A module refuses to load.
    #[error("cannot load the module `{module}`")]
    Module {
        module: String,
        #[source]
        source: SyscallError,
    },
    /// A device did not appear.
    #[error("no device is `{device}` after {seconds} s; there are: {found}")]
    NoDevice { device: String, seconds: u64, found: String },
    /// A filesystem cannot be mounted.
    #[error("cannot mount {fs_type} from `{device}` at `{}`", mount_point.display())]
    Mount {
        device: String,
        fs_type: String,
        mount_point: PathBuf,
        #[source]
        source: Box<SyscallError>,
    },
    /// The type is `auto` and the device has no filesystem that is known here.
    #[error("`{device}` has no filesystem that stage 1 knows")]
    UnknownFilesystem { device: String, mount_point: PathBuf },
    /// The store of a live system is not where it should be, or cannot be copied.
    #[error("cannot {action} the store `{}` of this live system", path.display())]
    LiveStore {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The store has no such system.
    #[error("`{}` is not in this machine's store", path.display())]
    NotInStore {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The view cannot be mounted.
    #[error(transparent)]
    View(Box<ViewError>),
    /// The activation file is not of its form.
    #[error("`{}` is not what this initrd understands", path.display())]
    Activation {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// A mode is not octal.
    #[error("the persisted path `{}` has the mode `{mode}`, expected octal digits", path.display())]
    Mode { path: PathBuf, mode: String },
    /// This is no initrd.
    #[error("the root directory is not in memory, so this is no initrd and is left alone")]
    NotAnInitrd,
    /// A call failed and says all there is to say.
    #[error(transparent)]
    System(#[from] SyscallError),
    /// A panic.
    #[error("stage 1 failed in a way that it should not; this is a bug in Esker")]
    Bug,
}

impl From<ViewError> for Stage1Error {
    fn from(error: ViewError) -> Self {
        Self::View(Box::new(error))
    }
}

impl Stage1Error {
    /// What to do about it, if that is known.
    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoInit => "it must name the `init` of a toplevel in /nix/store".into(),
            Self::BadInit { .. } => "it must be an absolute path that ends in /init".into(),
            Self::NoModule { .. } => "this initrd may be for another kernel".into(),
            Self::NoDevice { .. } => "`rd.timeout=` waits longer, `root=` names another device".into(),
            Self::UnknownFilesystem { mount_point, .. } => {
                format!("set `fileSystems.\"{}\".fsType`", mount_point.display())
            }
            Self::Mount { source, .. } => match source.errno {
                Errno::ENODEV => "add the type to `boot.initrd.supportedFilesystems`".into(),
                Errno::EINVAL => "the type or an option may be wrong, the kernel's log says more".into(),
                _ => return None,
            },
            Self::LiveStore { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "there is too little memory; boot without `esker.copytoram`".into()
            }
            Self::LiveStore { .. } => "the medium may be damaged, or another one has the same label".into(),
            Self::NotInStore { .. } => "choose another generation in the boot menu".into(),
            Self::View(error) => return error.hint(),
            _ => return None,
        })
    }
}
