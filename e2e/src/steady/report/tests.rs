use super::*;

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// An attempt every 10 ms: `1` and `2` are Pods, `x` is refused, `t` has no connection in time.
fn report(line: &str) -> Report {
    let attempts = (0_u64..).zip(line.chars()).map(|(place, what)| Attempt {
        at: ms(10 * place),
        took: ms(3),
        outcome: match what {
            'x' => Err(Cause::Refused),
            't' => Err(Cause::NoConnection),
            pod => Ok(format!("web-{pod}")),
        },
    });
    // The order in which they end is another one.
    let mut attempts: Vec<Attempt> = attempts.collect();
    attempts.reverse();
    Report::of(attempts)
}

#[test]
fn failures_and_gaps_are_counted() {
    let cases = [
        ("", 0, 0, None),
        ("x", 1, 1, None),
        ("1", 1, 0, None),
        ("12", 2, 0, Some((0, 10))),
        ("12121", 5, 0, Some((0, 10))),
        ("12xxx1t2", 8, 4, Some((10, 50))),
        ("xx12xx", 6, 4, Some((20, 30))),
    ];
    for (line, requests, failures, gap) in cases {
        let report = report(line);
        assert_eq!(report.requests(), requests, "{line}");
        assert_eq!(report.failures().len(), failures, "{line}");
        let length = gap.map(|(from, to)| ms(to) - ms(from));
        assert_eq!(
            report.longest_gap().map(|gap| gap.length()),
            length,
            "{line}"
        );
    }
}

#[test]
fn failures_are_told_with_their_times_and_causes() {
    let report = report("12xtx1");
    assert_eq!(
        report.failures(),
        [
            (ms(20), &Cause::Refused),
            (ms(30), &Cause::NoConnection),
            (ms(40), &Cause::Refused),
        ]
    );
    assert_eq!(
        report.to_string(),
        "6 requests, 3 failed, longest gap 40 ms at 0.01 s, slowest answer 3 ms
  no connection in time: 1 from 0.03 s to 0.03 s
  connection refused: 2 from 0.02 s to 0.04 s"
    );
    assert_eq!(report.pods(), BTreeMap::from([("web-1", 2), ("web-2", 1)]));
}

#[test]
fn a_part_has_what_started_in_it() {
    let part = report("1xx2").between(ms(10), ms(30));
    assert_eq!((part.requests(), part.failures().len()), (2, 2));
}
