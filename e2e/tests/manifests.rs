//! The manifests against a real API server, and against the programs that they start.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cargo;
mod mooring;

use std::path::Path;
use std::process::Command;

use mooring::{Mooring, NAMESPACE, tree};
use testbed::Bed;

/// A kustomization of a user's own, below the source tree's root, removed when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn with(component: &str) -> Self {
        let name = format!("target/kustomize-{}-{component}", std::process::id());
        let folder = tree().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "resources: [../../manifests]\ncomponents: [../../manifests/components/{component}]\n"
        );
        std::fs::write(folder.join("kustomization.yaml"), text).unwrap();
        Self(folder.canonicalize().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Standard output of a kubectl that must succeed and warn of nothing.
#[track_caller]
fn quietly(bed: &Bed, arguments: &[&str]) -> String {
    let output = bed.output("kubectl", arguments).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && error.is_empty(),
        "{arguments:?}: {error}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_api_server_takes_all_of_it_without_a_warning() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "manifests")
        .nodes(0)
        .light()
        .start()
        .unwrap();
    let manifests = tree().join("manifests").canonicalize().unwrap();
    let manifests = manifests.to_str().unwrap();

    let first = quietly(&bed, &["apply", "-k", manifests]);
    for line in first.lines() {
        assert!(line.ends_with(" created"), "{line}");
    }
    // Nothing is left for a second apply, so that a GitOps tool has nothing to fight for.
    let diff = quietly(&bed, &["diff", "-k", manifests]);
    assert_eq!(diff, "");

    every_sample_is_taken(&bed, Path::new(manifests));

    let folder = Folder::with("without-sysctl-files");
    quietly(&bed, &["apply", "-k", folder.0.to_str().unwrap()]);
    let mounts = "jsonpath={.spec.template.spec.containers[0].volumeMounts[*].mountPath}";
    let set = ["-n", NAMESPACE, "get", "ds", "mooring-agent", "-o", mounts];
    assert_eq!(
        quietly(&bed, &set),
        "/run/mooring /host/proc/sys/net /host/proc/thread-self/net"
    );

    quietly(&bed, &["create", "namespace", "openshift-kube-proxy"]);
    let folder = Folder::with("openshift");
    quietly(&bed, &["apply", "-k", folder.0.to_str().unwrap()]);

    // What was made can be removed again, and takes everything with it. Without controllers the namespace stays.
    let delete = ["delete", "--wait=false", "-k", folder.0.to_str().unwrap()];
    bed.kubectl(&["delete", "serviceproxy", "cluster"]).unwrap();
    bed.kubectl(&delete).unwrap();
    let kinds = "customresourcedefinitions,clusterroles,clusterrolebindings,roles,rolebindings,\
                 validatingadmissionpolicies,validatingadmissionpolicybindings";
    Mooring::find(&bed).wait_for("nothing of Mooring is left", || {
        let left = bed.kubectl(&["get", kinds, "-A", "-o", "name"]).ok()?;
        (!left.contains("mooring")).then_some(())
    });
    bed.down().unwrap();
}

/// Each for itself, as each says all that it needs.
fn every_sample_is_taken(bed: &Bed, manifests: &Path) {
    let compatibility = manifests.join("antrea-compatibility");
    quietly(bed, &["apply", "-k", compatibility.to_str().unwrap()]);
    let crd = "crd/externalippools.crd.antrea.io";
    bed.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", crd])
        .unwrap();
    for example in examples() {
        for verb in [&["create", "--validate=strict"][..], &["delete"]] {
            let arguments = [verb, &["-f", "-"]].concat();
            bed.kubectl_with(&arguments, &example).unwrap();
        }
    }
    let samples = samples(&manifests.join("samples"));
    assert!(samples.len() > 6, "{samples:?}");
    for sample in &samples {
        let path = sample.to_str().unwrap();
        let strictly = ["apply", "--server-side", "--validate=strict", "-f", path];
        quietly(bed, &strictly);
        // Applied again, with what the API server filled in, it changes nothing.
        assert_eq!(quietly(bed, &["diff", "--server-side", "-f", path]), "");
    }
    let guide = |group: &str, field: &str| {
        let pool = format!("externalippools.{group}/service-external-ip-pool");
        let path = format!("jsonpath={{.spec.{field}}}");
        quietly(bed, &["get", &pool, "-o", &path])
    };
    for field in ["ipRanges", "nodeSelector"] {
        assert_eq!(guide("crd.antrea.io", field), guide("mooring.dev", field));
    }
}

/// The objects that the README shows.
fn examples() -> Vec<String> {
    let readme = std::fs::read_to_string(tree().join("README.md")).unwrap();
    let blocks = readme.split("```yaml\n").skip(1);
    let examples: Vec<String> = blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert!(!examples.is_empty(), "the README shows no object");
    examples
}

/// All files below a folder, in the order of their names.
fn samples(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(samples(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn what_they_start_exists_and_understands_its_flags() {
    let programs = cargo::programs();
    let version = env!("CARGO_PKG_VERSION");
    for (program, file) in [
        ("mooring-operator", "operator/deployment.yaml"),
        ("mooring-agent", "agent/daemonset.yaml"),
    ] {
        let path = tree().join("manifests").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let value_of = |line: &str, key: &str| line.trim().strip_prefix(key).map(str::to_owned);

        // scripts/images writes images of this name.
        let images: Vec<String> = text
            .lines()
            .filter_map(|line| value_of(line, "image: "))
            .collect();
        assert_eq!(
            images,
            [format!("ghcr.io/mooring-dev/{program}:v{version}")]
        );

        let flags = text
            .lines()
            .filter_map(|line| value_of(line, "- --"))
            .map(|flag| format!("--{flag}"));
        let output = Command::new(programs.join(program))
            .args(flags)
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{program}: {output:?}");

        // An environment variable is one that a flag reads, or part of a flag.
        for name in text.lines().filter_map(|line| value_of(line, "- name: ")) {
            if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                let read = help.contains(&format!("[env: {name}="));
                let used = text.contains(&format!("$({name})"));
                assert!(read || used, "{program} does not know {name}");
            }
        }
    }
}
