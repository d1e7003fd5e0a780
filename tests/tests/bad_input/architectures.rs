//! Systems that Esker knows nothing of, that the lock does not pin, or that have no use for what a configuration asks for.

use stories::{Checks, Lab};

use crate::{Throwaway, fails_naming};

#[test]
fn an_unknown_system_is_named_with_those_that_there_are() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    let output =
        lab.esker().args(["image", "--system", "riscv64-linux"]).arg(lab.file("bad/parts/bootable.nix")).output();
    let output = output.expect("esker runs");
    facts.fact("it is wrong usage", output.status.code() == Some(2), format!("{:?}", output.status));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for text in ["'riscv64-linux'", "--system", "x86_64-linux, aarch64-linux"] {
        facts.fact("the error says it", said.contains(text), &said);
    }
    facts.done();
}

#[test]
fn a_lock_without_the_architecture_says_how_to_have_it() {
    let throwaway = Throwaway::new();
    let mut facts = Checks::new();
    let whole = fs_err::read_to_string(throwaway.lab.state().join("esker.lock")).expect("the lock of the stories");
    let lock = throwaway.folder.path().join("amd64.lock");
    let rest: String =
        whole.lines().filter(|line| !line.contains("\"arm64\"")).map(|line| format!("{line}\n")).collect();
    fs_err::write(&lock, rest).expect("a lock for one architecture");
    let mut command = throwaway.lab.esker();
    command.args(["image", "--system", "aarch64-linux"]).arg(throwaway.lab.file("bad/parts/bootable.nix"));
    let output = command.env("ESKER_LOCK", &lock).output().expect("esker runs");
    fails_naming(&mut facts, &output, &["has no index for `arm64`", "hint: `esker update`"]);
    facts.done();
}

#[test]
fn microcode_for_another_architecture_is_refused_once() {
    let lab = Lab::open("bad-input");
    let mut facts = Checks::new();
    let output = lab
        .esker()
        .args(["build", "--no-link", "--system", "aarch64-linux"])
        .arg(lab.file("systems/bare-metal.nix"))
        .output();
    let output = output.expect("esker runs");
    fails_naming(
        &mut facts,
        &output,
        &["error[assertion-failed]", "processors of aarch64-linux take no microcode", "hint: "],
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    facts.fact("nothing else is wrong", said.matches("error[").count() == 1, &said);
    facts.done();
}
