use super::*;

fn text(path: &str, contents: &str) -> Step {
    let node = Node::Text {
        contents: contents.to_owned(),
        mode: 0o644,
    };
    Step::Node {
        path: path.to_owned(),
        node,
    }
}

fn paths(steps: &[Step]) -> Vec<String> {
    resolve(steps)
        .unwrap()
        .iter()
        .map(|(path, _)| path.to_owned())
        .collect()
}

#[test]
fn parents_come_by_themselves_and_first() {
    assert_eq!(
        paths(&[
            text("/etc/b/c", ""),
            text("etc//./a", ""),
            Step::Dir {
                path: "/tmp/".into()
            }
        ]),
        ["etc", "etc/a", "etc/b", "etc/b/c", "tmp"]
    );
}

#[test]
fn everybody_may_write_to_tmp_and_only_there() {
    let tree = resolve(&[
        text("/tmp/x", ""),
        Step::Dir {
            path: "/var/tmp".into(),
        },
    ])
    .unwrap();
    let modes: Vec<(&str, u32)> = tree
        .iter()
        .filter_map(|(path, node)| match node {
            Node::Dir { mode } => Some((path, *mode)),
            _ => None,
        })
        .collect();
    assert_eq!(
        modes,
        [("tmp", 0o1777), ("var", 0o755), ("var/tmp", 0o1777)]
    );
}

#[test]
fn the_same_thing_twice_is_once_and_two_things_are_refused() {
    assert_eq!(paths(&[text("/a", "x"), text("/a", "x")]), ["a"]);
    let error = resolve(&[text("/a", "x"), text("/a", "y")]).unwrap_err();
    assert!(matches!(error, ImageError::Twice { path } if path == "a"));
}

#[test]
fn nothing_lies_below_a_file() {
    let error = resolve(&[text("/a", ""), text("/a/b/c", "")]).unwrap_err();
    assert!(
        matches!(error, ImageError::NoDirectory { path, parent } if path == "a/b/c" && parent == "a")
    );
}

#[test]
fn paths_that_leave_the_image_are_refused() {
    for path in ["", "/", ".", "../a", "/a/../../b", "a\0"] {
        let error = resolve(&[text(path, "")]).unwrap_err();
        assert!(
            matches!(error, ImageError::BadPath { .. }),
            "{path:?}: {error}"
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    let source = PathBuf::from("/there/is/none");
    let error = resolve(&[Step::File {
        source,
        path: "/a".into(),
    }])
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/there/is/none cannot be read"),
        "{error}"
    );
}
