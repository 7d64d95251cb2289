use super::*;

const MS: Duration = Duration::from_millis(1);

/// Beats at the end of these gaps.
fn beats(rhythm: &mut Rhythm, gaps: impl IntoIterator<Item = Duration>) {
    let mut now = rhythm.last.unwrap_or(Duration::from_secs(5));
    for gap in gaps {
        now += gap;
        rhythm.came(0);
        rhythm.beat(now, 0);
    }
}

#[test]
fn without_a_past_there_is_little_patience_and_four_questions_are_asked() {
    let mut rhythm = Rhythm::default();
    beats(&mut rhythm, [PERIOD; 50]);
    assert_eq!((rhythm.patience(), rhythm.probes()), (160 * MS, 4));
}

#[test]
fn a_stall_buys_patience_that_is_forgotten() {
    let mut rhythm = Rhythm::default();
    beats(&mut rhythm, [PERIOD, 195 * MS]);
    assert_eq!(rhythm.patience(), 255 * MS);
    beats(&mut rhythm, [PERIOD; 70]);
    let half = rhythm.patience() - 160 * MS;
    assert!((40 * MS..=55 * MS).contains(&half), "{half:?}");
    beats(&mut rhythm, [10 * PERIOD]);
    assert_eq!(rhythm.patience(), 460 * MS, "there is an end to it");
}

#[test]
fn a_gap_of_beats_that_were_lost_is_no_lateness() {
    let mut rhythm = Rhythm::default();
    beats(&mut rhythm, [PERIOD]);
    rhythm.beat(rhythm.last.unwrap() + 3 * PERIOD, 2);
    assert_eq!(rhythm.late, Duration::ZERO);
}

#[test]
fn losses_buy_more_beats_and_more_questions() {
    let mut rhythm = Rhythm::default();
    for _ in 0..200 {
        for lost in [0, 0, 1] {
            rhythm.came(lost);
        }
    }
    assert!((0.3..0.8).contains(&rhythm.loss), "{}", rhythm.loss);
    assert!(rhythm.patience() >= 4 * PERIOD);
    assert!(rhythm.probes() >= 15);
    for _ in 0..1000 {
        rhythm.came(0);
    }
    assert_eq!((rhythm.patience(), rhythm.probes()), (160 * MS, 4));
}

#[test]
fn a_flood_of_losses_has_an_end() {
    let mut rhythm = Rhythm::default();
    for _ in 0..100 {
        rhythm.came(u64::MAX);
        rhythm.beat(Duration::MAX, u64::MAX);
    }
    assert!(rhythm.loss <= 1.0);
    assert!(rhythm.patience() < Duration::from_secs(5));
    assert_eq!(rhythm.probes(), MOST_PROBES);
}

#[test]
fn the_time_in_which_the_watcher_did_not_run_is_no_lateness() {
    let mut rhythm = Rhythm::default();
    beats(&mut rhythm, [PERIOD]);
    let last = rhythm.last.unwrap();
    rhythm.forgive(500 * MS);
    rhythm.beat(last + 550 * MS, 0);
    assert_eq!(rhythm.late, Duration::ZERO);
}
