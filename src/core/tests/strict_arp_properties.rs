//! Properties over generated configurations in many styles, and over arbitrary bytes.

use mooring_core::strict_arp::{Context, Reason, Verdict, decide, read};
use proptest::prelude::*;

#[path = "strict_arp/corpus.rs"]
mod corpus;

/// How one configuration is written.
#[derive(Debug, Clone)]
struct Style {
    order: Vec<usize>,
    ending: &'static str,
    step: usize,
    margin: usize,
    final_ending: bool,
    bom: bool,
    start: bool,
    tail: &'static str,
    comments: bool,
    ipvs: Section,
    quotes: bool,
}

#[derive(Debug, Clone)]
enum Section {
    Missing,
    Bare(&'static str),
    Block(Vec<String>),
    Flow(Vec<String>),
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let value = prop::sample::select(vec![
        None,
        Some("false"),
        Some("False"),
        Some("no"),
        Some("off"),
        Some("null"),
        Some("~"),
        Some("\"false\""),
        Some("'true'"),
        Some("true"),
        Some("yes"),
    ]);
    let others = prop::sample::subsequence(
        vec![
            "scheduler: rr",
            "syncPeriod: 30s",
            "excludeCIDRs: [10.0.0.0/8, fd00::/8]",
            "udpTimeout: 0s",
            "other: {a: [b]}",
        ],
        0..=5,
    );
    (value, others, any::<prop::sample::Index>()).prop_map(|(value, others, at)| {
        let mut entries: Vec<String> = others.into_iter().map(str::to_owned).collect();
        if let Some(value) = value {
            entries.insert(at.index(entries.len() + 1), format!("strictARP: {value}"));
        }
        entries
    })
}

fn section() -> impl Strategy<Value = Section> {
    prop_oneof![
        Just(Section::Missing),
        prop::sample::select(vec!["", " null", " ~", " {}", " # none"]).prop_map(Section::Bare),
        entries().prop_map(Section::Block),
        entries().prop_map(Section::Flow),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    (
        Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        prop::sample::select(vec!["\n", "\r\n"]),
        1..5_usize,
        0..3_usize,
        any::<[bool; 5]>(),
        prop::sample::select(vec![
            "",
            "...\n",
            "---\nkind: KubeletConfiguration\nipvs: {strictARP: false}\n",
            "---\n}{ broken\n",
        ]),
        section(),
    )
        .prop_map(|(order, ending, step, margin, flags, tail, ipvs)| Style {
            order,
            ending,
            step,
            margin,
            final_ending: flags[0] || !tail.is_empty(),
            bom: flags[1],
            start: flags[2],
            tail,
            comments: flags[3],
            ipvs,
            quotes: flags[4],
        })
}

fn render(style: &Style) -> String {
    let margin = " ".repeat(style.margin);
    let child = " ".repeat(style.margin + style.step);
    let quote = if style.quotes { "\"" } else { "" };
    let ipvs = match &style.ipvs {
        Section::Missing => String::new(),
        Section::Bare(value) => format!("{margin}{quote}ipvs{quote}:{value}\n"),
        Section::Block(entries) if entries.is_empty() => format!("{margin}ipvs:\n"),
        Section::Block(entries) => {
            let lines: String = entries
                .iter()
                .map(|entry| format!("{child}{entry}\n"))
                .collect();
            let remark = if style.comments {
                "# strictARP: false\n"
            } else {
                ""
            };
            format!("{margin}{quote}ipvs{quote}:\n{remark}{lines}")
        }
        Section::Flow(entries) => format!("{margin}ipvs: {{{}}}\n", entries.join(", ")),
    };
    let parts = [
        format!("{margin}apiVersion: {quote}kubeproxy.config.k8s.io/v1alpha1{quote}\n"),
        format!("{margin}kind: KubeProxyConfiguration\n"),
        format!("{margin}mode: {quote}ipvs{quote}\n"),
        ipvs,
        format!("{margin}iptables:\n{child}masqueradeBit: 14\n{child}strictARP: true\n"),
        format!("{margin}note: |\n{child}ipvs:\n{child}  strictARP: false\n\n"),
        format!("{margin}nodePortAddresses:\n{margin}- 10.0.0.0/8 # ü\n"),
        format!("{margin}metadata: {{name: \"strictARP: false\"}}\n"),
    ];
    let mut text = String::new();
    if style.start {
        text.push_str("# before\n---\n");
    }
    for &part in &style.order {
        if style.comments && !parts[part].is_empty() {
            text.push_str("# remark\n");
        }
        text.push_str(&parts[part]);
    }
    text.push_str(style.tail);
    if !style.final_ending {
        text.truncate(text.trim_end_matches('\n').len());
    }
    let text = text.replace('\n', style.ending);
    if style.bom {
        format!("\u{feff}{text}")
    } else {
        text
    }
}

/// The edit took one token or added one line, or two with a new section; all else is the same bytes.
fn is_confined(before: &str, reason: Reason, after: &str) -> bool {
    let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let prefix = same(&mut before.bytes(), &mut after.bytes());
    let suffix = same(
        &mut before[prefix..].bytes().rev(),
        &mut after[prefix..].bytes().rev(),
    );
    let removed = &before[prefix..before.len() - suffix];
    let added = &after[prefix..after.len() - suffix];
    let lines = match reason {
        Reason::ValueReplaced => 0,
        Reason::KeyAdded => 1,
        _ => 2,
    };
    !removed.contains('\n') && removed.len() < 12 && added.matches('\n').count() <= lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_is_confined_and_keeps_the_meaning_and_the_second_one_does_nothing(style in style()) {
        let before = render(&style);
        let decision = decide(before.as_bytes(), &Context::default());
        // A block text at the very end without a line end cannot be followed by anything; all else must be decided.
        prop_assert_ne!(decision.verdict(), Verdict::Refused, "{}\n{}", decision.message(), before);
        prop_assert_ne!(decision.verdict(), Verdict::NotNeeded);
        let after = decision.text().unwrap();
        let config = read(after.as_bytes()).unwrap();
        prop_assert!(config.strict_arp);
        prop_assert_eq!(decide(after.as_bytes(), &Context::default()).verdict(), Verdict::Already);
        if decision.verdict() == Verdict::Patched {
            prop_assert!(is_confined(&before, decision.reason(), after), "{}", decision.diff("a", "b").unwrap());
            prop_assert_eq!(style.ending == "\r\n", !after.replace("\r\n", "").contains('\n'));
            if let Ok(old) = read(before.as_bytes()) {
                prop_assert!(!old.strict_arp);
                prop_assert_eq!(old.mode, config.mode);
            }
        } else {
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let decision = decide(&bytes, &Context { force_mode: true, live_mode: None });
        prop_assert_eq!(decision.verdict(), Verdict::Refused);
    }

    #[test]
    fn arbitrary_yaml_letters_behind_a_right_start_never_panic(
        text in "([ \t\n:#,{}\\[\\]'\"|>&*!?-]|ipvs|mode|strictARP|true|\u{feff}|ü|a){0,40}",
    ) {
        let text = format!("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n{text}");
        let decision = decide(text.as_bytes(), &Context::default());
        if decision.verdict() == Verdict::Patched {
            prop_assert_eq!(decide(decision.text().unwrap().as_bytes(), &Context::default()).verdict(), Verdict::Already);
        }
    }

    #[test]
    fn a_cut_corpus_never_panics(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let cases = corpus::cases();
        let input = &cases[at.index(cases.len())].input;
        decide(&input[..cut.index(input.len() + 1)], &Context::default());
    }
}
