use super::*;
use crate::kube_proxy::snapshot::{KeyFile, Mount, Volume};

fn projection(name: &str, items: &[(&str, &str)]) -> KeyProjection {
    KeyProjection {
        name: name.to_owned(),
        items: items
            .iter()
            .map(|(key, path)| KeyFile {
                key: (*key).to_owned(),
                path: (*path).to_owned(),
            })
            .collect(),
    }
}

fn mount(volume: &str, path: &str, sub_path: Option<&str>) -> Mount {
    Mount {
        volume: volume.to_owned(),
        path: path.to_owned(),
        sub_path: sub_path.map(str::to_owned),
        sub_path_expr: None,
    }
}

fn volume(name: &str, source: VolumeSource) -> Volume {
    Volume {
        name: name.to_owned(),
        source,
    }
}

fn resolve(
    path: &str,
    mounts: Vec<Mount>,
    volumes: Vec<Volume>,
) -> Result<ConfigLocation, LocationProblem> {
    let container = Container {
        mounts,
        ..Container::default()
    };
    let pod = PodSpec {
        volumes,
        ..PodSpec::default()
    };
    locate(path, &container, &pod, "kube-system")
}

fn expect(found: Result<ConfigLocation, LocationProblem>, map: &str, key: &str, sub_path: bool) {
    assert_eq!(
        found,
        Ok(ConfigLocation {
            config_map: ObjectName::new("kube-system", map),
            key: key.to_owned(),
            sub_path,
        })
    );
}

#[test]
fn a_whole_config_map_has_files_named_after_its_keys() {
    let volumes = || {
        vec![volume(
            "kp",
            VolumeSource::ConfigMap(projection("kube-proxy", &[])),
        )]
    };
    for path in [
        "/var/lib/kube-proxy/config.conf",
        "/var/lib//kube-proxy/./config.conf",
        "/var/lib/kube-proxy/..data/config.conf",
    ] {
        let mounts = vec![mount("kp", "/var/lib/kube-proxy/", None)];
        expect(
            resolve(path, mounts, volumes()),
            "kube-proxy",
            "config.conf",
            false,
        );
    }
}

#[test]
fn items_rename_keys() {
    let map = projection(
        "kube-proxy",
        &[
            ("kubeconfig.conf", "kubeconfig"),
            ("the.key", "config.conf"),
        ],
    );
    let found = resolve(
        "/etc/kp/config.conf",
        vec![mount("kp", "/etc/kp", None)],
        vec![volume("kp", VolumeSource::ConfigMap(map.clone()))],
    );
    expect(found, "kube-proxy", "the.key", false);
    let missing = resolve(
        "/etc/kp/the.key",
        vec![mount("kp", "/etc/kp", None)],
        vec![volume("kp", VolumeSource::ConfigMap(map))],
    );
    assert_eq!(
        missing.expect_err("no such file").reason,
        ProblemReason::BrokenMount
    );
}

#[test]
fn the_longest_mount_that_covers_the_path_wins_and_names_are_not_prefixes() {
    let volumes = vec![
        volume("a", VolumeSource::ConfigMap(projection("outer", &[]))),
        volume("b", VolumeSource::ConfigMap(projection("inner", &[]))),
        volume("c", VolumeSource::ConfigMap(projection("sibling", &[]))),
    ];
    let mounts = vec![
        mount("b", "/etc/kp/conf", None),
        mount("a", "/etc/kp", None),
        mount("c", "/etc/kp/conf/x.y", None),
    ];
    expect(
        resolve("/etc/kp/conf/x.yaml", mounts, volumes),
        "inner",
        "x.yaml",
        false,
    );
}

#[test]
fn a_sub_path_mounts_one_file_or_one_directory() {
    let volumes = || {
        vec![volume(
            "kp",
            VolumeSource::ConfigMap(projection("m", &[("k", "dir/c.conf")])),
        )]
    };
    let file = vec![mount("kp", "/etc/c.conf", Some("dir/c.conf"))];
    expect(resolve("/etc/c.conf", file, volumes()), "m", "k", true);
    let directory = vec![mount("kp", "/etc/kp", Some("dir"))];
    expect(
        resolve("/etc/kp/c.conf", directory, volumes()),
        "m",
        "k",
        true,
    );
}

#[test]
fn projected_volumes_are_searched_source_by_source() {
    let other = || ProjectedSource::Other("serviceAccountToken".to_owned());
    let mounts = || vec![mount("p", "/etc/kp", None)];
    let named = VolumeSource::Projected(vec![
        other(),
        ProjectedSource::ConfigMap(projection("kubeconfig", &[("a", "kubeconfig")])),
        ProjectedSource::ConfigMap(projection("config", &[("b", "config.conf")])),
    ]);
    let found = resolve("/etc/kp/config.conf", mounts(), vec![volume("p", named)]);
    expect(found, "config", "b", false);

    let whole = VolumeSource::Projected(vec![
        other(),
        ProjectedSource::ConfigMap(projection("one", &[])),
    ]);
    let found = resolve("/etc/kp/config.conf", mounts(), vec![volume("p", whole)]);
    expect(found, "one", "config.conf", false);

    let several = VolumeSource::Projected(vec![
        ProjectedSource::ConfigMap(projection("one", &[])),
        ProjectedSource::ConfigMap(projection("two", &[])),
    ]);
    let problem = resolve("/etc/kp/config.conf", mounts(), vec![volume("p", several)]);
    let problem = problem.expect_err("two candidates");
    assert_eq!(problem.reason, ProblemReason::AmbiguousProjection);
    assert!(problem.message.contains("one, two"), "{}", problem.message);
}

#[test]
fn what_is_in_no_config_map_is_refused_with_the_place_named() {
    let cases = [
        (
            VolumeSource::HostPath("/var/lib/kube-proxy".to_owned()),
            ProblemReason::FileOnNodes,
            "/var/lib/kube-proxy/config.conf of each node",
        ),
        (
            VolumeSource::Secret("kp-secret".to_owned()),
            ProblemReason::InSecret,
            "kube-system/kp-secret",
        ),
        (
            VolumeSource::Other("csi".to_owned()),
            ProblemReason::UnsupportedVolume,
            "type csi",
        ),
        (
            VolumeSource::EmptyDir,
            ProblemReason::RenderedAtStart,
            "another container fills",
        ),
    ];
    for (source, reason, text) in cases {
        let problem = resolve(
            "/etc/kp/config.conf",
            vec![mount("v", "/etc/kp", None)],
            vec![volume("v", source)],
        )
        .expect_err("not in a ConfigMap");
        assert_eq!(problem.reason, reason);
        assert!(problem.message.contains(text), "{}", problem.message);
    }
}

#[test]
fn the_container_that_renders_an_empty_dir_is_named_with_its_config_map() {
    let container = Container {
        mounts: vec![mount("rendered", "/etc/kp", None)],
        ..Container::default()
    };
    let init = Container {
        name: "render".to_owned(),
        mounts: vec![
            mount("rendered", "/out", None),
            mount("template", "/in", None),
        ],
        ..Container::default()
    };
    let pod = PodSpec {
        init_containers: vec![init],
        volumes: vec![
            volume("rendered", VolumeSource::EmptyDir),
            volume(
                "template",
                VolumeSource::ConfigMap(projection("kp-template", &[])),
            ),
        ],
        ..PodSpec::default()
    };
    let problem = locate("/etc/kp/c", &container, &pod, "kube-system").expect_err("rendered");
    assert_eq!(problem.reason, ProblemReason::RenderedAtStart);
    assert!(
        problem.message.contains(
            "init container render fills when the pod starts, from ConfigMap kp-template"
        ),
        "{}",
        problem.message
    );
}

#[test]
fn a_path_without_mount_is_in_the_image_and_a_path_with_variables_is_unknown() {
    let problem = resolve("/etc/kp.conf", Vec::new(), Vec::new()).expect_err("in the image");
    assert_eq!(problem.reason, ProblemReason::InImage);
    for path in ["/etc/$(NODE).conf", "config.conf"] {
        let problem = resolve(path, Vec::new(), Vec::new()).expect_err("unknown");
        assert_eq!(problem.reason, ProblemReason::PathNotLiteral);
    }
}
