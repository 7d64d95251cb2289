//! `kubectl mooring` on a bed, and kube-proxy's ConfigMap as tests see and change it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every test file uses all of it")]

mod kube_proxy;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::Bed;

use crate::cargo;

/// The key that kubeadm's kube-proxy reads.
pub(crate) const KEY: &str = "config.conf";

/// A bed on which `kubectl mooring` can be called.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) bed: Bed,
    folder: PathBuf,
}

/// What a call gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails, showing everything, unless the exit status is this one.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails, showing everything, unless standard output or error has this text.
    #[track_caller]
    pub(crate) fn expect_text(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(
            said,
            "no {text:?} in\nstdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

impl Cluster {
    /// On this bed, with the plugin of this workspace (built if it is not fresh).
    pub(crate) fn on(bed: Bed) -> Self {
        let folder = cargo::programs();
        assert!(folder.join("kubectl-mooring").exists());
        Self { bed, folder }
    }

    /// A command on the control plane's host, with the plugin on its path.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.bed.command("cp", program);
        let path = command
            .get_envs()
            .find_map(|(name, value)| (name == "PATH").then(|| value.unwrap().to_owned()))
            .unwrap();
        command.env(
            "PATH",
            format!("{}:{}", self.folder.display(), path.display()),
        );
        command
    }

    /// `kubectl mooring ARGUMENTS`, without a terminal.
    pub(crate) fn mooring(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command("kubectl");
        Outcome::of(&command.arg("mooring").args(arguments).output().unwrap())
    }

    /// `kubectl mooring check -o json`, as data.
    pub(crate) fn check(&self, code: i32) -> Value {
        let outcome = self.mooring(&["check", "-o", "json"]).expect_code(code);
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    /// `kubectl mooring explain SUBJECT`: why an address, or a Service, is as it is.
    pub(crate) fn explain(&self, subject: &str) -> String {
        let outcome = self.mooring(&["explain", subject]).expect_code(0);
        println!("$ kubectl mooring explain {subject}\n{}", outcome.stdout);
        outcome.stdout
    }

    /// kube-proxy's ConfigMap.
    pub(crate) fn config_map(&self) -> Value {
        let text =
            self.bed
                .kubectl(&["-n", "kube-system", "get", "cm", "kube-proxy", "-o", "json"]);
        serde_json::from_str(&text.unwrap()).unwrap()
    }

    /// The text under kube-proxy's key.
    pub(crate) fn text(&self) -> String {
        self.config_map()["data"][KEY].as_str().unwrap().to_owned()
    }

    /// Puts a text under kube-proxy's key.
    pub(crate) fn set_text(&self, text: &str) {
        let patch = json!({"data": {KEY: text}}).to_string();
        self.bed
            .kubectl(&[
                "-n",
                "kube-system",
                "patch",
                "cm",
                "kube-proxy",
                "--type=merge",
                "-p",
                &patch,
            ])
            .unwrap();
    }

    /// What changes with every write: the ConfigMap's and the DaemonSet's `resourceVersion` are not compared, as
    /// status updates change the latter; its generation and the ConfigMap's version are.
    pub(crate) fn versions(&self) -> (String, i64) {
        let text =
            self.bed
                .kubectl(&["-n", "kube-system", "get", "ds", "kube-proxy", "-o", "json"]);
        let set: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let version = self.config_map()["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned();
        (version, set["metadata"]["generation"].as_i64().unwrap())
    }

    /// A web server behind a Service with this external IP, as if somebody had handed it out.
    pub(crate) fn expose_web_server(&self, address: IpAddr) {
        let manifest = include_str!("../../manifests/web.yaml");
        self.bed
            .kubectl_with(&["apply", "-f", "-"], manifest)
            .unwrap();
        let status =
            json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}).to_string();
        self.bed
            .kubectl(&[
                "patch",
                "service",
                "web",
                "--subresource=status",
                "--type=merge",
                "-p",
                &status,
            ])
            .unwrap();
    }

    /// The names of the nodes.
    pub(crate) fn nodes(&self) -> Vec<String> {
        self.bed
            .status()
            .unwrap()
            .nodes
            .into_iter()
            .map(|node| node.host.name)
            .collect()
    }
}

/// Runs a part of a test, and says how long it took.
pub(crate) fn tell(story: &str, run: impl FnOnce()) {
    let begin = Instant::now();
    run();
    println!("{story}: ok, {} s", begin.elapsed().as_secs());
}

/// Waits for a condition; its text is what the failure says.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "not within two minutes: {what}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The lines in which two texts of the same number of lines differ, as (before, after).
pub(crate) fn changed_lines<'a>(before: &'a str, after: &'a str) -> Vec<(&'a str, &'a str)> {
    assert_eq!(before.lines().count(), after.lines().count());
    before
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new)
        .collect()
}
