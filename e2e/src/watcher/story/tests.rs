use super::*;

const A: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 11]);
const B: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 12]);

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn vip() -> IpAddr {
    "10.77.0.200".parse().unwrap()
}

/// A question every 100 ms, answered a millisecond later by everybody who is named in its place: `.` nobody, `a`, `b`, `2`
/// both, in this order.
fn story(line: &str) -> Story {
    let mut records = Vec::new();
    let mut record = |at, event| {
        records.push(Record {
            at,
            address: vip(),
            event,
        });
    };
    for (place, who) in (0_u64..).zip(line.chars()) {
        let at = ms(100 * place);
        record(at, Event::Asked);
        let answers: &[Mac] = match who {
            'a' => &[A],
            'b' => &[B],
            '2' => &[A, B],
            _ => &[],
        };
        for mac in answers {
            record(at + ms(1), Event::Answered(*mac));
        }
    }
    Story::of(vip(), &records, ms(100 * line.len() as u64))
}

#[test]
fn overlaps_and_silences_are_found() {
    /// How many, and the longest in ms.
    type Count = (usize, u64);
    let long_way_back = "a".repeat(5) + &"b".repeat(15) + &"a".repeat(5);
    // The line, how many stints, the overlaps, the silences.
    let cases: [(&str, usize, Count, Count); 13] = [
        ("", 0, (0, 0), (0, 0)),
        ("......", 0, (0, 0), (0, 0)),
        ("aaaaaa", 1, (0, 0), (0, 0)),
        ("...aaa", 1, (0, 0), (0, 0)),
        ("aaabbb", 2, (0, 0), (0, 0)),
        // B's first answer to A's last.
        ("aa22bb", 2, (1, 100), (0, 0)),
        ("aababb", 2, (1, 100), (0, 0)),
        ("aa2aaa", 2, (1, 0), (0, 0)),
        ("aa..aa", 1, (0, 0), (1, 201)),
        ("aa..bb", 2, (0, 0), (1, 201)),
        ("aa....", 1, (0, 0), (1, 400)),
        // One lost answer at the end may only be late.
        ("aaaaa.", 1, (0, 0), (0, 0)),
        // There and back again is no overlap.
        (&long_way_back, 3, (0, 0), (0, 0)),
    ];
    for (line, stints, overlaps, silences) in cases {
        let story = story(line);
        let overlap = story.longest_overlap().as_millis() as u64;
        let silence = story.longest_silence().as_millis() as u64;
        assert_eq!(story.stints.len(), stints, "{line}: {story}");
        assert_eq!(
            (story.overlaps().len(), overlap),
            overlaps,
            "{line}: {story}"
        );
        assert_eq!((story.silences.len(), silence), silences, "{line}: {story}");
    }
}

#[test]
fn a_silence_after_which_nobody_answers_lasts_to_the_end() {
    let silence = story("aaa...").silences[0];
    assert_eq!(silence.from, ms(300));
    assert_eq!(silence.to, ms(600));
    assert!(!silence.over);
}

#[test]
fn times_without_questions_are_no_silence() {
    // The watcher itself stood still for two seconds.
    let record = |at, event| Record {
        at: ms(at),
        address: vip(),
        event,
    };
    let records = [
        record(0, Event::Asked),
        record(1, Event::Answered(A)),
        record(100, Event::Asked),
        record(2_100, Event::Answered(A)),
    ];
    let story = Story::of(vip(), &records, ms(2_200));
    assert_eq!(story.silences, []);
}

#[test]
fn what_is_said_unasked_is_no_answer() {
    let record = |event| Record {
        at: ms(5),
        address: vip(),
        event,
    };
    let foreign = Record {
        address: "10.77.0.201".parse().unwrap(),
        ..record(Event::Answered(B))
    };
    let story = Story::of(vip(), &[record(Event::Announced(A)), foreign], ms(10));
    assert_eq!(story.macs(), BTreeSet::new());
    assert_eq!(story.announcers(), BTreeSet::from([A]));
    assert_eq!(story.first_answer(), None);
}

#[test]
fn a_part_begins_where_it_is_cut() {
    let whole = story(&("aaaaa".to_owned() + &"b".repeat(15)));
    let part = whole.since(ms(1_000));
    assert_eq!(part.macs(), BTreeSet::from([B]));
    assert_eq!(part.first_answer(), Some(ms(1_000)));
    assert_eq!(whole.first_answer_of(B, ms(300)), Some(ms(501)));
    assert_eq!(whole.first_answer_of(A, ms(300)), None);
}

#[test]
fn it_is_told_with_names() {
    let names = |mac| (mac == A).then(|| "n1".to_owned());
    assert_eq!(
        story("aa2..bb.......").tell(names),
        "10.77.0.200: asked 14 times
  n1 answered 3 times, 0.00 s to 0.20 s
  52:54:00:77:00:0c answered 3 times, 0.20 s to 0.60 s
  n1 and 52:54:00:77:00:0c both answered for 0 ms from 0.20 s
  nobody answered for 700 ms from 0.70 s to the end
  answers were late 1 times, by 201 ms at most"
    );
}
