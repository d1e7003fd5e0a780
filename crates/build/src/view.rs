//! What a build's sandbox shows as /usr. How packages become a tree is the provider's affair.

use std::path::PathBuf;

use nix_formats::StorePath;

/// A view on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialisedView {
    /// What becomes `/usr`.
    pub usr: PathBuf,
    /// What becomes `/etc`, accounts and network files aside; without it there is only those.
    pub etc: Option<PathBuf>,
}

/// Why a view could not be made; the provider's own error is the source.
#[derive(Debug, thiserror::Error)]
#[error("could not lay out the packages of the view")]
pub struct ViewError {
    /// The provider's error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Makes views.
pub trait ViewProvider: Send + Sync {
    /// The tree for a `builtin:view` output, made now or earlier. Several threads may ask for the same one.
    ///
    /// Errors when it cannot be made.
    fn materialise(&self, view: &StorePath) -> Result<MaterialisedView, ViewError>;
}
