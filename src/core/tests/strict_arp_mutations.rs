//! Tens of thousands of damaged configurations: whatever is edited must be edited rightly, and nothing may panic.
//!
//! The judge shares nothing with the code that edits: it cuts the document by itself, reads it with `serde-saphyr` (or
//! `serde_json`) into plain values, and compares bytes.

#![allow(clippy::print_stdout, reason = "the counts are the result")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use mooring_core::strict_arp::{Context, Decision, Verdict, decide};
use serde_json::Value;

#[path = "strict_arp/corpus.rs"]
mod corpus;
#[path = "strict_arp/mutate.rs"]
mod mutate;

const INPUTS: usize = 25_000;
const THREADS: usize = 4;

/// What kube-proxy would read: the first document, as plain values.
fn judge_reads(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let mut first = String::new();
    let mut content = false;
    for line in text.trim_start_matches('\u{feff}').split_inclusive('\n') {
        let marker = ["---", "..."].into_iter().any(|marker| {
            line.strip_prefix(marker)
                .is_some_and(|rest| rest.trim().is_empty() || rest.starts_with([' ', '\t']))
        });
        if marker && content {
            break;
        }
        content |= marker
            || !(line.trim().is_empty()
                || line.trim_start().starts_with('#')
                || line.starts_with('%'));
        first.push_str(line);
    }
    let options = serde_saphyr::options! {
        budget: None,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
    };
    // serde-saphyr does not take a tab right behind a colon, kube-proxy does.
    let first = first.replace(":\t", ": ");
    let values: Keyed =
        serde_saphyr::from_str_with_options(&first, options).map_err(|error| error.to_string())?;
    Ok(values.0)
}

/// Values with any keys as text.
struct Keyed(Value);

impl<'de> serde::Deserialize<'de> for Keyed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> serde::de::Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
                Ok(Value::String(format!("\0{value}")))
            }
            fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
                Ok(Value::String(format!("\0{value}")))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::String(format!("\0{value:?}")))
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::from(value))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Keyed(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(Value::Array(list))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut entries: A,
            ) -> Result<Value, A::Error> {
                let mut map = serde_json::Map::new();
                while let Some((Keyed(key), Keyed(value))) = entries.next_entry()? {
                    let key = match key {
                        Value::String(key) => key,
                        other => format!("\0{other}"),
                    };
                    map.insert(key, value);
                }
                Ok(Value::Object(map))
            }
        }
        deserializer.deserialize_any(Any).map(Self)
    }
}

/// What is wrong with a decision, if anything.
fn complaint(input: &[u8], decision: &Decision) -> Option<String> {
    let Some(text) = decision.text() else {
        return (decision.verdict() != Verdict::Refused).then(|| "no text".into());
    };
    let before = String::from_utf8(input.to_vec()).ok()?;
    match decision.verdict() {
        Verdict::Refused => Some("a refusal with a text".into()),
        Verdict::NotNeeded => (text != before).then(|| "not needed, but edited".into()),
        Verdict::Already => {
            let strict =
                judge_reads(text).map(|values| values["ipvs"]["strictARP"] == Value::Bool(true));
            // Merge keys have another order for kube-proxy than by the specification.
            (text != before || (strict != Ok(true) && !text.contains("<<")))
                .then(|| format!("not already: {strict:?}"))
        }
        Verdict::Patched => {
            let prefix = text
                .bytes()
                .zip(before.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            let rest = (text.len() - prefix).min(before.len() - prefix);
            let suffix = text
                .bytes()
                .rev()
                .zip(before.bytes().rev())
                .take(rest)
                .take_while(|(a, b)| a == b)
                .count();
            let removed = &before.as_bytes()[prefix..before.len() - suffix];
            let added = &text.as_bytes()[prefix..text.len() - suffix];
            let breaks = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
            if breaks(removed) > 0 || breaks(added) > 2 || added.len() > 80 {
                return Some("the edit is not confined".into());
            }
            let (mut expected, found) = match (judge_reads(&before), judge_reads(text)) {
                (Ok(before), Ok(after)) => (before, after),
                (before, after) => {
                    return Some(format!("unreadable: {:?} {:?}", before.err(), after.err()));
                }
            };
            if expected["mode"] != "ipvs" && !before.contains("<<") {
                return Some("edited, but the mode is not ipvs".into());
            }
            if expected["ipvs"].is_null() {
                expected["ipvs"] = serde_json::json!({});
            }
            expected["ipvs"]["strictARP"] = Value::Bool(true);
            (expected != found).then(|| format!("another meaning: {expected} became {found}"))
        }
    }
}

#[test]
fn no_damaged_configuration_is_edited_wrongly() {
    let corpus: Vec<Vec<u8>> = corpus::cases()
        .into_iter()
        .filter(|case| !case.expected.starts_with("refused") && case.input.len() < 3000)
        .map(|case| case.input)
        .collect();
    let workers: Vec<_> = (0..THREADS)
        .map(|worker| {
            let corpus = corpus.clone();
            thread::spawn(move || {
                let mut random = mutate::Random::new(worker as u64 + 1);
                let mut counts = BTreeMap::new();
                let mut wrong = Vec::new();
                for _ in 0..INPUTS / THREADS {
                    let input = mutate::mutant(&mut random, &corpus);
                    let result = catch_unwind(AssertUnwindSafe(|| {
                        let decision = decide(&input, &Context::default());
                        let complaint = complaint(&input, &decision);
                        (decision, complaint)
                    }));
                    match result {
                        Ok((decision, complaint)) => {
                            *counts.entry(decision.verdict().as_str()).or_insert(0) += 1;
                            if let Some(complaint) = complaint {
                                wrong.push(format!(
                                    "{complaint}\n{}",
                                    String::from_utf8_lossy(&input)
                                ));
                            }
                        }
                        Err(_) => wrong.push(format!("panic\n{}", String::from_utf8_lossy(&input))),
                    }
                }
                (counts, wrong)
            })
        })
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for worker in workers {
        let (found, complaints) = worker.join().unwrap();
        for (verdict, count) in found {
            *counts.entry(verdict).or_default() += count;
        }
        wrong.extend(complaints);
    }
    let count = |verdict: Verdict| counts.get(verdict.as_str()).copied().unwrap_or(0);
    let inputs: usize = counts.values().sum();
    let patched = count(Verdict::Patched);
    println!(
        "mutation run: {inputs} inputs, {patched} patched, {} already, {} not needed, {} refused, {} wrong edits",
        count(Verdict::Already),
        count(Verdict::NotNeeded),
        count(Verdict::Refused),
        wrong.len()
    );
    for complaint in wrong.iter().take(5) {
        println!("--- wrong: {complaint}");
    }
    assert!(wrong.is_empty(), "{} wrong edits", wrong.len());
    assert!(
        inputs >= 20_000 && patched >= 4_000 && count(Verdict::Already) >= 300,
        "{counts:?}"
    );
}
