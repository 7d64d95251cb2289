use std::time::Duration;

use super::Lifetime;

#[test]
fn a_lifetime_is_told_in_whole_seconds_and_never_too_short() {
    let told = [
        (Lifetime::Forever, u32::MAX),
        (Lifetime::For(Duration::ZERO), 0),
        (Lifetime::For(Duration::from_millis(1)), 1),
        (Lifetime::For(Duration::from_secs(20)), 20),
        (Lifetime::For(Duration::from_millis(20_001)), 21),
        (Lifetime::For(Duration::MAX), u32::MAX - 1),
    ];
    for (lifetime, seconds) in told {
        assert_eq!(lifetime.seconds(), seconds, "{lifetime:?}");
    }
    assert_eq!(Lifetime::from_seconds(20).seconds(), 20);
    assert_eq!(Lifetime::from_seconds(u32::MAX).seconds(), u32::MAX);
}
