//! Placeholders: stand-ins for output paths that are not known yet while a derivation is written.

use crate::hash::{Hash, HashAlgo};
use crate::store_path::{StorePath, output_path_name};

fn render(clear_text: &str) -> String {
    format!("/{}", Hash::of(HashAlgo::Sha256, clear_text.as_bytes()).to_base32())
}

/// What a derivation writes for its own output (`builtins.placeholder`).
#[must_use]
pub fn own_output(output: &str) -> String {
    render(&format!("nix-output:{output}"))
}

/// What a derivation writes for a content-addressed output of another derivation that is not built yet.
#[must_use]
pub fn unknown_output(drv_path: &StorePath, output: &str) -> String {
    let name = output_path_name(drv_path.derivation_name(), output);
    render(&format!("nix-upstream-output:{}:{name}", drv_path.hash_part()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn own_output_as_the_language_prints_it() {
        assert_eq!(super::own_output("out"), "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9");
    }
}
