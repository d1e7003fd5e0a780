//! Placeholders: stand-ins for output paths that are not known yet while a derivation is written.

use crate::hash::{Hash, HashAlgo};
use crate::store_path::{StorePath, output_path_name};

fn digest(clear_text: &str) -> Hash {
    Hash::of(HashAlgo::Sha256, clear_text.as_bytes())
}

fn render(hash: &Hash) -> String {
    format!("/{}", hash.to_base32())
}

fn upstream(drv_path: &StorePath, output: &str) -> Hash {
    let name = output_path_name(drv_path.derivation_name(), output);
    digest(&format!("nix-upstream-output:{}:{name}", drv_path.hash_part()))
}

/// What a derivation writes for its own output (`builtins.placeholder`).
#[must_use]
pub fn own_output(output: &str) -> String {
    render(&digest(&format!("nix-output:{output}")))
}

/// What a derivation writes for a content-addressed output of another derivation that is not built yet.
#[must_use]
pub fn unknown_output(drv_path: &StorePath, output: &str) -> String {
    render(&upstream(drv_path, output))
}

/// What a derivation writes for `output` of a derivation that does not exist yet either: it is made by the first of
/// `chain` as an output of `drv_path`, by the second as an output of that, and so on.
#[must_use]
pub fn computed_output(drv_path: &StorePath, chain: &[&str], output: &str) -> String {
    let Some((first, rest)) = chain.split_first() else { return unknown_output(drv_path, output) };
    let outer = rest.iter().copied().chain([output]);
    let hash = outer.fold(upstream(drv_path, first), |hash, output| {
        digest(&format!("nix-computed-output:{}:{output}", crate::base32::encode(&hash.compress::<20>())))
    });
    render(&hash)
}

#[cfg(test)]
mod tests {
    #[test]
    fn own_output_as_the_language_prints_it() {
        assert_eq!(super::own_output("out"), "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9");
    }
}
