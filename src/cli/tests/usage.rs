//! What a user meets before any cluster: help, completion, usage errors, a server that is not there.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubectl-mooring"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("HOME", "/nonexistent")
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_verb_has_help_with_its_exit_status_or_examples() {
    for verb in [
        &["check"][..],
        &["status"],
        &["explain"],
        &["move"],
        &["drain"],
        &["fix"],
        &["strict-arp", "edit"],
        &["completion"],
    ] {
        let output = run(&[verb, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Examples:"), "{verb:?}");
    }
}

#[test]
fn usage_errors_end_with_2() {
    for arguments in [
        &["chekc"][..],
        &[],
        &["check", "-o", "xml"],
        &["fix", "--timeout", "soon"],
        &["explain"],
        &["explain", "web", "-o", "wide"],
        &["move", "10.77.0.200"],
        &["drain"],
        &["drain", "n1", "--undo", "--no-wait"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn completion_scripts_are_printed_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("strict-arp"), "{shell}");
    }
    let output = run(&["__complete", "ch"]);
    assert_eq!(text(&output.stdout), "check\n:4\n");
}

#[test]
fn without_a_cluster_the_message_says_where_one_is_looked_for() {
    let output = run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let stderr = text(&output.stderr);
    assert!(stderr.contains("no cluster is configured"), "{stderr}");

    let output = run(&["check", "--kubeconfig", "/nonexistent/config"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/nonexistent/config"));
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    // Port 1 of the loopback address is refused at once.
    let path = std::env::temp_dir().join(format!("mooring-usage-{}.yaml", std::process::id()));
    let config = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n";
    std::fs::write(&path, config).expect("a file in the temporary directory");
    let output = run(&["check", "--kubeconfig", &path.to_string_lossy()]);
    std::fs::remove_file(&path).expect("it is still there");
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("the API server http://127.0.0.1:1 does not answer"),
        "{stderr}"
    );
}

#[test]
fn what_cannot_be_explained_ends_with_1_before_any_cluster_is_asked() {
    for (subject, said) in [
        ("10.0.0.1/24", "is a range"),
        ("fe80::1%eth0", "has a zone"),
        ("10.0.0.256", "is not an IP address"),
        ("Web!", "cannot be the name of a Service"),
        ("", "nothing is named"),
    ] {
        let output = run(&["explain", subject]);
        assert_eq!(output.status.code(), Some(1), "{subject}");
        assert!(output.stdout.is_empty(), "{subject}");
        let stderr = text(&output.stderr);
        assert!(
            stderr.starts_with("error: ") && stderr.contains(said),
            "{stderr}"
        );
    }
    let output = run(&["move", "shop/web", "--to", "n1"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("kubectl mooring explain shop/web says which ones"),
        "{stderr}"
    );
    let output = run(&["explain", "shop/web"]);
    assert_eq!(output.status.code(), Some(2), "no cluster is configured");
}
