//! The `testbed` program as a person calls it, verb by verb, on a light bed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

/// Ends the bed whatever happens.
struct Bed(String);

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = Command::new(env!("CARGO_BIN_EXE_testbed"))
            .args(["--name", &self.0, "down"])
            .output();
    }
}

impl Bed {
    /// Exit status, standard output and standard error of `testbed --name NAME WORDS`.
    fn call(&self, words: &str) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_testbed"))
            .args(["--name", &self.0])
            .args(words.split(' '))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Standard output of a call that must succeed.
    #[track_caller]
    fn ok(&self, words: &str) -> String {
        let (status, stdout, stderr) = self.call(words);
        assert_eq!(status, 0, "{words}: {stdout}{stderr}");
        stdout
    }
}

#[test]
fn every_verb_does_what_its_help_says() {
    let bed = Bed(format!("cli-{}", std::process::id()));
    // Reading to the end of its output shows as well that `up` leaves nobody behind who holds it.
    bed.ok("up --light --nodes 2 --strict-arp true");
    let (status, _, stderr) = bed.call("up --light");
    assert_eq!(status, 1);
    assert!(stderr.contains("is up already"), "{stderr}");

    let shown = bed.ok("status");
    assert!(
        shown.contains(&format!(
            "{}: light, kube-proxy ipvs with strictARP True",
            bed.0
        )),
        "{shown}"
    );
    assert!(bed.ok("kubectl -- get nodes -o name").contains("node/n2"));
    assert_eq!(bed.ok("exec n1 -- hostname"), "n1\n");
    assert_eq!(bed.ok("exec n1 -- printf %s,%s a 'b"), "a,'b");
    assert_eq!(bed.call("exec n1 -- false").0, 1);
    assert_eq!(
        bed.ok("exec n1 -- cat /proc/sys/net/ipv4/conf/all/arp_ignore"),
        "1\n"
    );

    let n1 = "52:54:00:77:00:0b";
    assert!(
        bed.ok("who-answers 10.77.0.11")
            .contains(&format!("{n1}  n1"))
    );
    assert!(
        bed.ok("who-answers fd77::11 --json")
            .contains(&format!("\"mac\":\"{n1}\""))
    );
    assert_eq!(
        bed.ok("who-answers 10.77.0.250"),
        "10.77.0.250: nobody answers\n"
    );

    let silent = "10.77.0.11: nobody answers\n";
    for (cut, undo) in [
        ("kill n1", "boot n1"),
        ("freeze n1", "thaw n1"),
        ("cut n1", "heal"),
        ("partition n1,cp client,n2", "heal"),
        ("oneway n1 client", "heal"),
    ] {
        bed.ok(cut);
        assert_eq!(bed.ok("who-answers 10.77.0.11"), silent, "after {cut}");
        bed.ok(undo);
        assert!(
            bed.ok("who-answers 10.77.0.11").contains(n1),
            "after {undo}"
        );
    }

    bed.ok("client add c2");
    assert!(
        bed.ok("client exec c2 -- ip -br addr")
            .contains("10.77.0.102/24")
    );
    assert!(bed.ok("who-answers 10.77.0.11 --from c2").contains(n1));
    let logs = bed.ok("logs");
    for log in ["etcd", "kube-apiserver", "n1/console", "n2/kube-proxy"] {
        assert!(logs.lines().any(|line| line == log), "{log} in {logs}");
    }
    assert!(!bed.ok("logs n1/kube-proxy").is_empty());

    bed.ok("down");
    let (status, _, stderr) = bed.call("kubectl -- get nodes");
    assert_eq!(status, 1);
    assert!(stderr.contains("no bed named"), "{stderr}");
}

#[test]
fn an_image_of_a_program_is_written_and_described() {
    let out = std::env::temp_dir().join(format!("testbed-cli-{}.tar", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_testbed"))
        .args(["image", "localhost/busybox:2", "/bin/busybox", "--out"])
        .arg(&out)
        .args(["--user", "65532", "--label", "made=here"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let bytes = std::fs::read(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[0], "localhost/busybox:2", "{said}");
    assert!(words[1].starts_with("sha256:"), "{said}");
    assert_eq!(words[2], bytes.len().to_string(), "{said}");
    let text = String::from_utf8_lossy(&bytes);
    for part in [
        r#""Entrypoint":["/busybox"]"#,
        r#""User":"65532""#,
        r#""Labels":{"made":"here"}"#,
    ] {
        assert!(text.contains(part), "no {part}");
    }
}
