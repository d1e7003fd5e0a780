//! Packages that cannot be seen together. Debian's own do not get so far: these are made here, of nothing.

use std::path::Path;
use std::process::Command;

use stories::{Checks, Lab};

use crate::{Throwaway, build, fails_naming};

/// A .deb of one file.
fn deb(folder: &Path, name: &str, version: &str, file: &str) {
    let tree = folder.join(format!("{name}_{version}"));
    let program = tree.join(file);
    fs_err::create_dir_all(program.parent().expect("a folder")).expect("the package's folder");
    fs_err::create_dir_all(tree.join("DEBIAN")).expect("the control folder");
    fs_err::write(&program, format!("{name} {version}\n")).expect("the package's file");
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n\
         Description: made by a test\n"
    );
    fs_err::write(tree.join("DEBIAN/control"), control).expect("the control file");
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "--build"]).arg(&tree).arg(tree.with_extension("deb"));
    let output = command.output().expect("dpkg-deb runs (dpkg)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // `with_extension` takes what follows the version's last dot.
    fs_err::rename(tree.with_extension("deb"), folder.join(format!("{name}_{version}_all.deb"))).expect("the .deb");
}

/// A configuration whose system is nothing but a view of such packages.
fn system_of(lab: &Lab, folder: &Path, packages: &[(&str, &str)], graph: &str) {
    let listed: String =
        packages.iter().map(|(name, version)| format!("(package \"{name}\" \"{version}\") ")).collect();
    let bootable = lab.file("bad/parts/bootable.nix").display().to_string();
    let text = format!(
        r#"{{ lib, ... }}:
let
  package = pname: version: derivation {{
    inherit pname version;
    name = "${{pname}}-${{version}}";
    system = "builtin";
    builder = "builtin:unpack-deb";
    __structuredAttrs = true;
    deb = ./. + "/${{pname}}_${{version}}_all.deb";
    format = 1;
    architecture = "all";
  }};
  builtin = name: attributes: derivation ({{ inherit name; system = "builtin"; builder = "builtin:${{name}}"; __structuredAttrs = true; }} // attributes);
  view = builtin "view" {{ packages = map (p: p.outPath) [ {listed}]; graph = {graph}; }};
in
{{
  imports = [ {bootable} ];
  system.build.toplevel = lib.mkForce (builtin "system-view" {{ inherit view; }});
}}
"#
    );
    fs_err::write(folder.join("configuration.nix"), text).expect("the configuration");
}

#[test]
fn two_packages_with_one_file_are_named_with_it() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let folder = throwaway.folder.path();
    deb(folder, "one", "1.0", "usr/bin/tool");
    deb(folder, "two", "2.0", "usr/bin/tool");
    system_of(&throwaway.lab, folder, &[("one", "1.0"), ("two", "2.0")], "{ }");
    let output = build(&throwaway.lab, folder).env("ESKER_STORE", throwaway.store()).output().expect("esker runs");
    let words = ["`/usr/bin/tool`: one 1.0 and two 2.0", "hint: leave one of the packages out"];
    fails_naming(&mut facts, &output, &words);
    throwaway.verifies(&mut facts, "afterwards");
    facts.done();
}

#[test]
fn two_versions_of_a_package_are_named_with_who_needs_it() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let folder = throwaway.folder.path();
    deb(folder, "tool", "1.0", "usr/bin/tool");
    deb(folder, "tool", "2.0", "usr/bin/tool");
    system_of(
        &throwaway.lab,
        folder,
        &[("tool", "1.0"), ("tool", "2.0")],
        r#"{ shop = [ "tool" ]; office = [ "tool" "libc6" ]; }"#,
    );
    let output = build(&throwaway.lab, folder).env("ESKER_STORE", throwaway.store()).output().expect("esker runs");
    let words = [
        "the view would hold two versions of `tool`: 1.0",
        "2.0",
        "office, shop",
        "hint: run one of them in a view of its own",
    ];
    fails_naming(&mut facts, &output, &words);
    facts.done();
}

#[test]
fn a_module_that_the_kernel_has_not_is_named_with_the_options() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    let output = build(&lab, &lab.file("bad/parts/missing-module.nix")).output().expect("esker runs");
    let words = ["no_such_module", "hint: ", "`boot.initrd.kernelModules`", "`boot.kernelPackages`"];
    fails_naming(&mut facts, &output, &words);
    facts.done();
}
