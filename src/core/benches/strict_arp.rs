//! How long a decision about a megabyte takes. The goal is less than 100 ms each.
#![allow(
    clippy::print_stdout,
    reason = "the numbers are the product of this program"
)]

use std::fmt::Write as _;
use std::time::Instant;

use mooring_core::strict_arp::{Context, Verdict, decide};

const SIZE: usize = 1_000_000;
const HEAD: &str =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n";

fn padded(head: &str, line: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = head.to_owned();
    let mut number = 0;
    while text.len() < SIZE {
        let _ = write!(text, "{}", line(number));
        number += 1;
    }
    text + tail
}

fn main() {
    let cidr = |number: usize| format!("10.{}.{}.0/24", number / 256 % 256, number % 256);
    let ipvs = format!("{HEAD}ipvs:\n  scheduler: rr\n");
    let inputs = [
        (
            "block, unknown fields, value false",
            padded(
                &format!("{ipvs}  strictARP: false\nextra:\n"),
                |number| {
                    format!(
                        "  key{number}: value {number} # why\n  list{number}:\n  - a\n  - \"b\"\n"
                    )
                },
                "",
            ),
        ),
        (
            "block, 50,000 keys at the top, ipvs missing",
            padded(HEAD, |number| format!("key{number}: value{number}\n"), ""),
        ),
        (
            "block, long excludeCIDRs, key missing",
            padded(
                &format!("{ipvs}  excludeCIDRs:\n"),
                |number| format!("  - {}\n", cidr(number)),
                "  syncPeriod: 30s\n",
            ),
        ),
        (
            "block, comments",
            padded(
                &format!("{ipvs}  strictARP: false\n"),
                |number| format!("# remark {number}\n"),
                "",
            ),
        ),
        (
            "json, long excludeCIDRs",
            padded(
                r#"{"apiVersion":"kubeproxy.config.k8s.io/v1alpha1","kind":"KubeProxyConfiguration","mode":"ipvs","ipvs":{"strictARP":false,"excludeCIDRs":["10.0.0.0/8""#,
                |number| format!(",\n\"{}\"", cidr(number)),
                "]}}\n",
            ),
        ),
        (
            "json, unknown fields, ipvs missing",
            padded(
                r#"{"apiVersion":"kubeproxy.config.k8s.io/v1alpha1","kind":"KubeProxyConfiguration","mode":"ipvs""#,
                |number| format!(",\"key{number}\": {{\"a\": [1, 2, null], \"b\": \"text\"}}"),
                "}",
            ),
        ),
    ];
    let mut slow = false;
    for (name, text) in inputs {
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                let decision = decide(text.as_bytes(), &Context::default());
                assert_eq!(
                    decision.verdict(),
                    Verdict::Patched,
                    "{name}: {}",
                    decision.message()
                );
                start.elapsed()
            })
            .min()
            .unwrap_or_default();
        slow |= best.as_millis() >= 100;
        println!(
            "strict_arp: {:6.1} ms for {} bytes: {name}",
            best.as_secs_f64() * 1e3,
            text.len()
        );
    }
    assert!(!slow, "a decision took 100 ms or more");
}
