//! Which crate of the workspace may use which: what decides stays free of what does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Every member and the members it may depend on. Tests of a member may use what they like.
const ALLOWED: &[(&str, &[&str])] = &[
    ("mooring-core", &[]),
    ("mooring-kernel", &[]),
    ("mooring-api", &["mooring-core"]),
    ("mooring-operator", &["mooring-api", "mooring-core"]),
    ("mooring-cli", &["mooring-api", "mooring-core"]),
    (
        "mooring-agent",
        &["mooring-api", "mooring-core", "mooring-kernel"],
    ),
    (
        "testbed",
        &[
            "mooring-agent",
            "mooring-api",
            "mooring-cli",
            "mooring-core",
            "mooring-kernel",
            "mooring-operator",
        ],
    ),
];

/// What would let a decision reach for a clock, a socket or the API.
const FORBIDDEN_IN_CORE: &[&str] = &[
    "k8s-openapi",
    "kube",
    "kube-client",
    "nix",
    "rtnetlink",
    "socket2",
    "tokio",
];

/// Members with a table of lints of their own. A test of theirs holds it equal to the workspace's but for what they need.
const OWN_LINTS: &[&str] = &["mooring-kernel"];

fn metadata() -> Metadata {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(root)
        .exec()
        .expect("cargo metadata")
}

fn member_names(metadata: &Metadata) -> BTreeSet<&str> {
    metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect()
}

/// The members that a member's code (not its tests) depends on.
fn used_members<'a>(package: &'a Package, members: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let uses = package
        .dependencies
        .iter()
        .filter(|uses| uses.kind != DependencyKind::Development);
    uses.map(|uses| uses.name.as_str())
        .filter(|name| members.contains(name))
        .collect()
}

#[test]
fn every_member_is_in_the_table_and_keeps_to_it() {
    let metadata = metadata();
    let members = member_names(&metadata);
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(may) = allowed.get(name) else {
            wrong.push(format!(
                "{name} is not in the table of this test; decide what it may use"
            ));
            continue;
        };
        for used in used_members(package, &members) {
            if !may.contains(&used) {
                wrong.push(format!(
                    "{name} depends on {used}, which the table does not allow"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_but_tests_uses_the_test_bed() {
    let metadata = metadata();
    let members = member_names(&metadata);
    assert!(members.contains("testbed"), "{members:?}");
    for package in metadata.workspace_packages() {
        let used = used_members(package, &members);
        assert!(
            !used.contains("testbed"),
            "{} ships with the test bed",
            package.name
        );
    }
}

/// Every package that `start`'s code is built with, by way of which other one.
fn built_with<'a>(
    metadata: &'a Metadata,
    start: &'a PackageId,
) -> BTreeMap<&'a PackageId, &'a PackageId> {
    let resolve = metadata.resolve.as_ref().expect("cargo metadata resolves");
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut reached = BTreeMap::new();
    let mut left = vec![start];
    while let Some(id) = left.pop() {
        for next in &nodes[id].deps {
            let normal = next
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if normal && !reached.contains_key(&next.pkg) {
                reached.insert(&next.pkg, id);
                left.push(&next.pkg);
            }
        }
    }
    reached
}

#[test]
fn decisions_cannot_reach_the_world() {
    let metadata = metadata();
    let core = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name == "mooring-core")
        .expect("mooring-core is a member");
    let reached = built_with(&metadata, &core.id);
    assert!(
        !reached.is_empty(),
        "no dependencies found: this test looks at nothing"
    );
    for (id, by) in &reached {
        let name = metadata[id].name.as_str();
        assert!(
            !FORBIDDEN_IN_CORE.contains(&name),
            "mooring-core is built with {name}, by way of {}",
            metadata[*by].name
        );
    }
}

#[test]
fn the_walk_finds_what_it_looks_for() {
    // The command-line tool does talk to the API: if the walk misses that, it proves nothing above.
    let metadata = metadata();
    let cli = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name == "mooring-cli")
        .expect("mooring-cli is a member");
    let reached = built_with(&metadata, &cli.id);
    let names: BTreeSet<&str> = reached
        .keys()
        .map(|id| metadata[id].name.as_str())
        .collect();
    for name in ["kube", "kube-client", "k8s-openapi", "tokio"] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[test]
fn every_member_takes_lints_and_rust_version_from_the_workspace() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).expect("manifest");
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        let lints = lines.iter().position(|line| *line == "[lints]");
        let inherited = lints.is_some_and(|at| lines.get(at + 1) == Some(&"workspace = true"));
        assert!(
            inherited || OWN_LINTS.contains(&package.name.as_str()),
            "{}: the section [lints] must be `workspace = true`",
            package.name
        );
        for key in ["rust-version", "edition", "version", "license"] {
            let line = format!("{key}.workspace = true");
            assert!(
                lines.contains(&line.as_str()),
                "{}: no line `{line}`",
                package.name
            );
        }
    }
}
