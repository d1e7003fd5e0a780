//! Solving small archives written in a line a package:
//!
//! `name version [Field: value; Field: value …]`
//!
//! Solutions and explanations are compared as text.

use super::*;
use crate::index::{Source, build_index};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct World {
    _directory: tempfile::TempDir,
    index: Index,
}

fn world(packages: &str) -> World {
    let mut text = String::new();
    for line in packages.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (version, fields) = rest.split_once(' ').unwrap_or((rest, ""));
        text += &format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {HASH}\n"
        );
        for field in fields.split(';').filter(|field| !field.is_empty()) {
            text += &format!("{}\n", field.trim());
        }
        text += "\n";
    }
    let bytes =
        build_index(Architecture::Amd64, &[Source { suite: "test", mirror: MirrorName::Debian, text: &text }]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    std::fs::write(&path, bytes).unwrap();
    World { index: Index::open(&path).unwrap(), _directory: directory }
}

fn request(roots: &[&str]) -> Request {
    let roots = roots
        .iter()
        .map(|relation| Root { relation: (*relation).to_owned(), wanted_by: "the test".to_owned() })
        .collect();
    Request {
        architecture: Architecture::Amd64,
        roots,
        recommends: Recommends::No,
        essential: Essential::Ignore,
        exclude: Vec::new(),
    }
}

impl World {
    /// `a 1, b 2` in unpack order, or the error's text.
    fn solve(&self, request: &Request) -> String {
        match solve(&self.index, request) {
            Ok(solution) => {
                let shown: Vec<String> =
                    solution.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
                shown.join(", ")
            }
            Err(error) => error.to_string(),
        }
    }
}

/// Solves `roots` and compares.
#[track_caller]
fn expect(packages: &str, roots: &[&str], expected: &str) {
    assert_eq!(world(packages).solve(&request(roots)), expected);
}

#[test]
fn dependencies_come_before_what_needs_them() {
    expect("a 1 Depends: b, c\nb 1 Pre-Depends: d\nc 1\nd 1", &["a"], "d 1, b 1, c 1, a 1");
}

#[test]
fn pre_depends_are_unpacked_first() {
    expect("a 1 Depends: b; Pre-Depends: z\nb 1\nz 1", &["a"], "z 1, b 1, a 1");
}

#[test]
fn cycles_are_allowed() {
    expect("a 1 Depends: b\nb 1 Depends: c\nc 1 Depends: a", &["a"], "c 1, b 1, a 1");
}

#[test]
fn the_newest_version_is_preferred() {
    expect("a 1\na 1.0-1+deb13u1\na 1~rc1", &["a"], "a 1.0-1+deb13u1");
}

#[test]
fn an_older_version_serves_where_the_newest_cannot() {
    expect("a 2 Depends: missing\na 1", &["a"], "a 1");
    expect("a 1 Depends: b (<< 2)\nb 1\nb 2", &["a"], "b 1, a 1");
    expect("a 1\na 2", &["a (= 1)"], "a 1");
}

#[test]
fn the_first_alternative_is_preferred() {
    expect("a 1 Depends: c | b\nb 1\nc 1", &["a"], "c 1, a 1");
}

#[test]
fn an_alternative_that_is_there_anyway_settles_the_question() {
    let packages = "a 1 Depends: c | b\nz 1 Depends: y\ny 1 Depends: b\nb 1\nc 1";
    expect(packages, &["a", "z"], "b 1, a 1, y 1, z 1");
    expect(packages, &["z", "a"], "b 1, a 1, y 1, z 1");
}

#[test]
fn a_real_package_is_preferred_over_a_provider() {
    expect("a 1 Depends: mta\nmta 1\nexim 1 Provides: mta", &["a"], "mta 1, a 1");
}

#[test]
fn the_most_needed_provider_is_preferred() {
    let packages = "a 1 Depends: awk\nbwk 1 Provides: awk\nmawk 1 Provides: awk; Priority: required";
    expect(packages, &["a"], "mawk 1, a 1");
    expect(&packages.replace("Priority: required", ""), &["a"], "bwk 1, a 1");
}

#[test]
fn a_versioned_dependency_needs_a_versioned_provides() {
    expect(
        "a 1 Depends: api (>= 2)\nb 1 Provides: api\nc 1 Provides: api (= 1)\nd 1 Provides: api (= 2)",
        &["a"],
        "d 1, a 1",
    );
}

#[test]
fn qualifiers_name_the_native_architecture() {
    expect("a 1 Depends: b:any, c:amd64\nb 1\nc 1", &["a"], "b 1, c 1, a 1");
    expect("a 1 Depends: b:i386 | c\nb 1\nc 1", &["a"], "c 1, a 1");
}

#[test]
fn a_conflict_makes_way_for_another_alternative() {
    expect("a 1 Depends: b | c\nr 1 Conflicts: b\nb 1\nc 1", &["a", "r"], "c 1, a 1, r 1");
}

#[test]
fn breaks_forbids_only_the_versions_it_names() {
    expect("a 1 Breaks: b (<< 2)\nb 1\nb 2", &["a", "b"], "a 1, b 2");
}

#[test]
fn a_package_does_not_conflict_with_what_it_provides() {
    expect("exim 1 Provides: mta; Conflicts: mta", &["exim"], "exim 1");
}

#[test]
fn a_choice_that_leads_nowhere_is_taken_back() {
    // The first alternative is fine by itself, but what it needs is not to be had together with r.
    expect(
        "a 1 Depends: b | c\nb 1 Depends: d\nd 1 Depends: e\ne 1\nr 1 Conflicts: e\nc 1",
        &["a", "r"],
        "c 1, a 1, r 1",
    );
}

#[test]
fn recommends_are_followed_only_when_asked_for() {
    let world = world("a 1 Recommends: b\nb 1 Recommends: c\nc 1");
    let base = request(&["a"]);
    assert_eq!(world.solve(&base), "a 1");
    assert_eq!(world.solve(&Request { recommends: Recommends::All, ..base.clone() }), "c 1, b 1, a 1");
    let of_a = Recommends::Of(BTreeSet::from(["a".to_owned()]));
    assert_eq!(world.solve(&Request { recommends: of_a, ..base }), "b 1, a 1");
}

#[test]
fn a_recommended_package_that_does_not_fit_is_left_out() {
    let world = world("a 1 Recommends: b, missing, c; Conflicts: d\nb 1 Depends: d\nd 1\nc 1");
    let request = Request { recommends: Recommends::All, ..request(&["a"]) };
    assert_eq!(world.solve(&request), "c 1, a 1");
}

#[test]
fn excluded_packages_stay_out() {
    let world = world("a 1 Depends: b | c\nb 1\nc 1");
    let exclude = vec![Root { relation: "b".to_owned(), wanted_by: "an option".to_owned() }];
    assert_eq!(world.solve(&Request { exclude: exclude.clone(), ..request(&["a"]) }), "c 1, a 1");
    assert_eq!(
        world.solve(&Request { exclude, ..request(&["b"]) }),
        "`b` is needed but excluded by an option (`b`)\n  `b` is wanted by the test"
    );
}

#[test]
fn essential_packages_come_when_asked_for() {
    let world = world("a 1\ndash 1 Essential: yes; Depends: c\nc 1");
    assert_eq!(world.solve(&Request { essential: Essential::Include, ..request(&["a"]) }), "a 1, c 1, dash 1");
    assert_eq!(world.solve(&request(&["a"])), "a 1");
}

#[test]
fn nothing_asked_for_is_nothing_installed() {
    expect("a 1", &[], "");
}

#[test]
fn what_satisfies_a_need_is_recorded() {
    let world = world("a 1 Depends: awk, b | c\nmawk 1 Provides: awk\nb 1");
    let solution = solve(&world.index, &request(&["a"])).unwrap();
    assert_eq!(solution.package("a").unwrap().needs, ["b", "mawk"]);
    assert_eq!(solution.roots, BTreeMap::from([("a".to_owned(), "a".to_owned())]));
}

#[test]
fn the_order_of_roots_does_not_matter() {
    let packages = "a 1 Depends: x | y\nb 1 Depends: y | x\nx 1 Conflicts: y\ny 1";
    let world = world(packages);
    assert_eq!(world.solve(&request(&["a", "b"])), world.solve(&request(&["b", "a", "a"])));
}

#[test]
fn explains_a_conflict_with_the_referrers_of_both_sides() {
    expect(
        "web 1 Depends: exim\nexim 4 Provides: mta; Conflicts: mta\nlists 2 Depends: mailer\nmailer 3 Depends: postfix (>= 3)\npostfix 3.10 Provides: mta",
        &["web", "lists"],
        "`exim` 4 and `postfix` 3.10 cannot be installed together: `exim` conflicts with `mta`\n  \
         `exim` is needed by `web` (as `exim`), which is wanted by the test\n  \
         `postfix` is needed by `mailer` (as `postfix (>= 3)`), which is needed by `lists` (as `mailer`), which is wanted by the test",
    );
}

#[test]
fn two_packages_that_clash_in_all_versions_are_named_once() {
    let text = world("a 1 Conflicts: b\na 2 Conflicts: b\nb 1 Conflicts: a\nb 2").solve(&request(&["a", "b"]));
    assert_eq!(text.matches("cannot be installed together").count(), 1, "{text}");
}

#[test]
fn explains_two_versions_of_one_package() {
    expect(
        "a 1 Depends: lib (= 1)\nb 1 Depends: lib (= 2)\nlib 1\nlib 2",
        &["a", "b"],
        "`lib` can only be there in one version, but both 1 and 2 are needed\n  \
         `lib` 1 is needed by `a` (as `lib (= 1)`), which is wanted by the test\n  \
         `lib` 2 is needed by `b` (as `lib (= 2)`), which is wanted by the test",
    );
}

#[test]
fn explains_a_dependency_that_nothing_satisfies() {
    expect(
        "a 1 Depends: b\nb 1 Depends: c (>= 2) | d\nc 1",
        &["a"],
        "`b` 1 needs `c (>= 2) | d`, which no package satisfies\n  `b` is needed by `a` (as `b`), which is wanted by the test",
    );
}

#[test]
fn lists_every_root_that_cannot_be_had() {
    expect(
        "nginx 1\nnodejs 20\nexim 4 Provides: mta\npostfix 3 Provides: mta\nonly 1 Provides: single",
        &["ngnix", "node", "nodejs (>= 22)", "mta", "single", "zzzzzzzz"],
        "`mta` (wanted by the test) is provided by several packages; choose `exim` or `postfix`\n\
         there is no package `ngnix` (wanted by the test); did you mean `nginx`?\n\
         there is no package `node` (wanted by the test); did you mean `nodejs`?\n\
         no version satisfies `nodejs (>= 22)` (wanted by the test); there is `20`\n\
         there is no package `zzzzzzzz` (wanted by the test)",
    );
}

#[test]
fn a_root_that_is_no_relation_says_who_asks() {
    let error = solve(&world("a 1").index, &request(&["a b"])).unwrap_err();
    assert_eq!(error.to_string(), "`the test` asks for something that is no package");
}

#[test]
fn searching_finds_names_before_descriptions() {
    let world = world(
        "vim 9 Description: Vi IMproved editor\nnano 8 Description: small editor\nvim-nox 9 Description: vim with scripts\neditor 1 Description: x",
    );
    let names = |words: &[&str]| -> Vec<String> {
        crate::search::search(&world.index, words).unwrap().into_iter().map(|found| found.name).collect()
    };
    assert_eq!(names(&["editor"]), ["editor", "nano", "vim"]);
    assert_eq!(names(&["VIM"]), ["vim", "vim-nox"]);
    assert_eq!(names(&["vim", "editor"]), ["vim"]);
    assert!(names(&[]).is_empty() && names(&["absent"]).is_empty());
}
