//! `strict-arp edit` as a shell pipeline sees it: the binary itself.

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Output, Stdio};

const IPVS: &str = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  strictARP: false\n";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-mooring"));
    command
        .args(["strict-arp", "edit"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn edit(input: &[u8], arguments: &[&str]) -> Output {
    let mut child = command(arguments).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    match stdin.write_all(input) {
        // A wrong flag is told before anything is read.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.expect("it reads all of its input"),
    }
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("one object on stdout")
}

#[test]
fn the_edited_text_is_on_stdout_and_nothing_else() {
    let output = edit(IPVS.as_bytes(), &[]);
    assert_eq!(output.status.code(), Some(0));
    let expected = IPVS.replace("strictARP: false", "strictARP: true");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn a_text_that_needs_nothing_comes_out_byte_for_byte() {
    let already = IPVS
        .replace("strictARP: false", "strictARP: true")
        .replace('\n', "\r\n");
    let iptables = IPVS.replace("mode: ipvs", "mode: iptables");
    for text in [already, iptables] {
        let output = edit(text.as_bytes(), &[]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stdout, text.as_bytes());
    }
}

#[test]
fn a_refusal_ends_with_3_an_empty_stdout_and_the_reason_on_stderr() {
    for input in [&b"a: ["[..], b"", b"\xff\xfe", b"kind: Config\n"] {
        let output = edit(input, &[]);
        assert_eq!(output.status.code(), Some(3), "{input:?}");
        assert!(output.stdout.is_empty(), "{input:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with("error: refused: "), "{stderr}");
    }
}

#[test]
fn json_is_one_object_with_the_keys_of_the_contract() {
    let output = edit(IPVS.as_bytes(), &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let object = json(&output);
    assert_eq!(object["verdict"], "patched");
    assert_eq!(object["reason"], "ValueReplaced");
    assert_eq!(object["line"], 5);
    assert!(object["message"].is_string() && object["warnings"].is_array());
    assert!(
        object["text"]
            .as_str()
            .is_some_and(|text| text.contains("strictARP: true"))
    );
    assert_eq!(object.as_object().map(serde_json::Map::len), Some(6));

    let refused = edit(b"a: [", &["--json"]);
    assert_eq!(refused.status.code(), Some(3));
    let object = json(&refused);
    assert_eq!(object["verdict"], "refused");
    assert!(object["text"].is_null());
}

#[test]
fn the_live_mode_and_force_decide_where_the_configured_mode_needs_nothing() {
    let iptables = IPVS.replace("mode: ipvs", "mode: iptables");
    let verdict = |arguments: &[&str]| {
        let mut all = vec!["--json"];
        all.extend(arguments);
        json(&edit(iptables.as_bytes(), &all))["verdict"].clone()
    };
    assert_eq!(verdict(&[]), "notNeeded");
    assert_eq!(verdict(&["--force-mode"]), "patched");
    let wrong = edit(iptables.as_bytes(), &["--live-mode", "IPVS"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_reader_that_went_away_is_no_crash() {
    let mut text = IPVS.to_owned();
    for line in 0..40_000 {
        text.push_str(&format!("# comment {line}\n"));
    }
    let mut child = command(&[]).spawn().expect("the binary starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(text.as_bytes())
        .expect("it reads its input");
    drop(stdin);
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut stderr)
        .expect("text");
    let status = child.wait().expect("it ends");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(status.code(), Some(0), "{stderr}");
}
