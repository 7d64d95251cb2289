//! Mooring's reading of a configuration is held to kube-proxy's own: its loader and validation, compiled into the
//! control-plane program, judge the golden corpus and thousands of damaged texts, before and after the edit.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; the counts are the result"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mooring_core::proxy_mode::ProxyMode;
use mooring_core::strict_arp::{Context, Decision, Verdict, decide};
use serde_json::Value;
use testbed::pki::base64;

#[path = "../../src/core/tests/strict_arp/mutate.rs"]
mod mutate;

const MUTANTS: usize = 24_000;

/// kube-proxy's loader as a process.
struct Oracle {
    process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What kube-proxy makes of a text.
#[derive(Debug, PartialEq)]
enum Reading {
    /// It does not start.
    Error(String),
    /// It starts with this.
    Starts {
        mode: String,
        strict_arp: bool,
        config: Value,
    },
}

impl Oracle {
    fn start() -> Self {
        let mut process = Command::new(testbed::setup::controlplane().unwrap())
            .arg("kube-proxy-config-oracle")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let questions = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            questions,
            answers,
        }
    }

    fn read(&mut self, text: &[u8]) -> Reading {
        writeln!(self.questions, "{}", base64::encode(text)).unwrap();
        let mut answer: Value =
            serde_json::from_str(&self.answers.next().unwrap().unwrap()).unwrap();
        match answer["error"].as_str() {
            Some(error) => Reading::Error(error.to_owned()),
            None => Reading::Starts {
                mode: answer["mode"].as_str().unwrap_or_default().to_owned(),
                strict_arp: answer["strictARP"] == true,
                config: answer["config"].take(),
            },
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How a decision compares with the truth.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Patched,
    /// kube-proxy did not start before, and does after.
    Cured,
    Already,
    NotNeeded,
    /// Refused, and kube-proxy would not start.
    RefusedRightly,
    /// Refused although kube-proxy starts with it: allowed if rare.
    RefusedCautiously(String),
}

/// The same, or what is wrong with the decision.
fn judge(oracle: &mut Oracle, input: &[u8], decision: &Decision) -> Result<Finding, String> {
    let before = oracle.read(input);
    match (decision.verdict(), &before) {
        (Verdict::Refused, Reading::Error(_)) => Ok(Finding::RefusedRightly),
        (Verdict::Refused, Reading::Starts { .. }) => {
            Ok(Finding::RefusedCautiously(decision.reason().to_string()))
        }
        (Verdict::NotNeeded, Reading::Starts { mode, .. }) if mode != "ipvs" => {
            Ok(Finding::NotNeeded)
        }
        // Windows' mode, which this kube-proxy for Linux does not know.
        (Verdict::NotNeeded, Reading::Error(why))
            if why.contains("Invalid value: \"kernelspace\"") =>
        {
            Ok(Finding::NotNeeded)
        }
        (
            Verdict::Already,
            Reading::Starts {
                mode,
                strict_arp: true,
                ..
            },
        ) if mode == "ipvs" => Ok(Finding::Already),
        (Verdict::Patched, _) => {
            let after = decision.text().ok_or("patched, but no text")?;
            match (before, oracle.read(after.as_bytes())) {
                (
                    Reading::Starts { mut config, .. },
                    Reading::Starts {
                        mode,
                        strict_arp: true,
                        config: edited,
                    },
                ) if mode == "ipvs" => {
                    config["IPVS"]["StrictARP"] = Value::Bool(true);
                    if config == edited {
                        Ok(Finding::Patched)
                    } else {
                        Err("another setting changed".into())
                    }
                }
                (
                    Reading::Error(_),
                    Reading::Starts {
                        mode,
                        strict_arp: true,
                        ..
                    },
                ) if mode == "ipvs" => Ok(Finding::Cured),
                (_, after) => Err(format!("the edit gives {after:?}")),
            }
        }
        (verdict, reading) => Err(format!("{verdict:?}, but kube-proxy: {reading:?}")),
    }
}

/// The inputs of the golden corpus, by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../src/core/tests/strict_arp/cases"
    );
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.split_once(".in.")?.0.to_owned(),
                entry.path(),
            ))
        })
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    cases.sort();
    cases
}

#[test]
fn the_golden_corpus_is_read_as_kube_proxy_reads_it() {
    let mut oracle = Oracle::start();
    let mut counts: BTreeMap<Finding, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let cases = corpus();
    for (name, input) in &cases {
        for live_mode in [None, Some(ProxyMode::Ipvs), Some(ProxyMode::Iptables)] {
            // A live mode decides where the text leaves the mode open; there kube-proxy has no say.
            let context = Context {
                live_mode,
                ..Context::default()
            };
            let decision = decide(input, &context);
            if live_mode.is_some()
                && decision.verdict() != decide(input, &Context::default()).verdict()
            {
                continue;
            }
            match judge(&mut oracle, input, &decision) {
                Ok(finding) => *counts.entry(finding).or_default() += 1,
                Err(complaint) => wrong.push(format!("{name}: {complaint}")),
            }
        }
    }
    println!(
        "golden corpus: {} texts, judged by kube-proxy: {counts:?}",
        cases.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        cases.len() >= 57 && counts[&Finding::Patched] >= 30,
        "{counts:?}"
    );
}

#[test]
fn no_damaged_text_is_edited_wrongly_as_kube_proxy_judges_it() {
    let seeds: Vec<Vec<u8>> = corpus()
        .into_iter()
        .map(|(_, text)| text)
        .filter(|text| text.len() < 3000)
        .collect();
    let mut oracle = Oracle::start();
    let mut random = mutate::Random::new(2026);
    let mut counts: BTreeMap<Finding, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for _ in 0..MUTANTS {
        let input = mutate::mutant(&mut random, &seeds);
        match judge(&mut oracle, &input, &decide(&input, &Context::default())) {
            Ok(finding) => *counts.entry(finding).or_default() += 1,
            Err(complaint) => wrong.push(format!(
                "{complaint}\n{}\n",
                String::from_utf8_lossy(&input)
            )),
        }
    }
    let cautious: usize = counts
        .iter()
        .filter(|(f, _)| matches!(f, Finding::RefusedCautiously(_)))
        .map(|(_, n)| n)
        .sum();
    println!(
        "mutation run judged by kube-proxy: {MUTANTS} inputs, {} wrong verdicts or edits, {cautious} refused out of caution\n{counts:?}",
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} wrong; the first ones:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(
        counts[&Finding::Patched] >= 3_000 && counts[&Finding::Already] >= 200,
        "{counts:?}"
    );
    assert!(
        cautious * 4 < MUTANTS,
        "more than a quarter refused out of caution"
    );
}
