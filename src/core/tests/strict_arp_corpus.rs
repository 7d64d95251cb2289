//! Every case of the golden corpus. `MOORING_REWRITE=1 cargo test -p mooring-core --test strict_arp_corpus` rewrites the
//! expectations from what the code does; review the difference before you keep it.

use std::fmt::Write as _;
use std::fs;

use mooring_core::strict_arp::{Context, Verdict, decide, read};

#[path = "strict_arp/corpus.rs"]
mod corpus;

#[test]
fn every_case_is_decided_as_the_table_says() {
    let rewrite = std::env::var_os("MOORING_REWRITE").is_some();
    let mut table = String::from(
        "# name context verdict reason line warnings (rewritten by MOORING_REWRITE=1, reviewed by people)\n",
    );
    let mut failures = String::new();
    for case in corpus::cases() {
        let decision = decide(&case.input, &corpus::context(&case.context));
        let found = corpus::summary(&decision);
        writeln!(table, "{} {} {found}", case.name, case.context).unwrap();
        let path = corpus::folder()
            .join("cases")
            .join(format!("{}.out.yaml", case.name));
        let patched = decision.verdict() == Verdict::Patched;
        if rewrite {
            if patched {
                fs::write(&path, decision.text().unwrap()).unwrap();
            } else {
                let _ = fs::remove_file(&path);
            }
            continue;
        }
        if found != case.expected {
            writeln!(
                failures,
                "{}: expected {}, found {found} ({})",
                case.name,
                case.expected,
                decision.message()
            )
            .unwrap();
        }
        let golden = fs::read(&path).ok();
        let text = decision
            .text()
            .filter(|_| patched)
            .map(|text| text.as_bytes().to_vec());
        if golden != text {
            writeln!(
                failures,
                "{}: the edited text is not that of {}",
                case.name,
                path.display()
            )
            .unwrap();
        }
    }
    if rewrite {
        fs::write(corpus::folder().join("cases.txt"), table).unwrap();
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn an_edited_text_is_already_right_and_an_unedited_one_is_the_same_bytes() {
    for case in corpus::cases() {
        let context = corpus::context(&case.context);
        let decision = decide(&case.input, &context);
        match decision.verdict() {
            Verdict::Patched => {
                let text = decision.text().unwrap().as_bytes();
                assert_eq!(
                    decide(text, &context).verdict(),
                    Verdict::Already,
                    "{}",
                    case.name
                );
                assert!(read(text).unwrap().strict_arp, "{}", case.name);
                assert!(decision.diff("a", "b").is_some());
            }
            Verdict::Already | Verdict::NotNeeded => {
                assert_eq!(
                    decision.text().unwrap().as_bytes(),
                    case.input,
                    "{}",
                    case.name
                );
                assert_eq!(decision.diff("a", "b"), None);
            }
            Verdict::Refused => {
                assert_eq!(decision.text(), None, "{}", case.name);
                assert!(
                    decision.message().len() > 40,
                    "{}: {}",
                    case.name,
                    decision.message()
                );
            }
        }
    }
}

#[test]
fn a_refusal_names_the_line_in_its_message_when_it_knows_one() {
    for case in corpus::cases() {
        let decision = decide(&case.input, &Context::default());
        if let (Verdict::Refused, Some(line)) = (decision.verdict(), decision.line()) {
            let message = decision.message();
            assert!(
                message.starts_with(&format!("line {line}: ")),
                "{}: {message}",
                case.name
            );
        }
    }
}
