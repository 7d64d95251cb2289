use mooring_core::placement::{UNREST_ANNOTATION, Unrest};
use serde_json::json;

use super::*;

/// The one node, which has died at these times (in seconds since 1970).
fn shown(deaths: &[i64], now: i64) -> NodeShown {
    let times = deaths.iter().copied().map(Timestamp::from_unix_seconds);
    let record = times.fold(None, |unrest, death| {
        Unrest::after(unrest, [death], death).or(unrest)
    });
    let record = record.map_or("none".to_owned(), |unrest: Unrest| unrest.to_string());
    let state = serde_json::from_value(json!({
        "apiVersion": "mooring.dev/v1alpha1", "kind": "NodeProxyState",
        "metadata": {"name": "n1", "annotations": {UNREST_ANNOTATION: record}},
        "status": {"mode": "ipvs"}
    }));
    let now = jiff::Timestamp::from_second(now).unwrap();
    let mut nodes = nodes(vec![state.unwrap()], &[], &[], &[], now);
    nodes.remove(0)
}

#[test]
fn a_node_that_dies_often_is_shown_so_until_it_counts_as_any_other() {
    assert!(shown(&[], 1_000_000).dies_often.is_none());
    assert!(
        shown(&[999_000], 1_000_000).dies_often.is_none(),
        "an accident"
    );
    let twice = [999_000, 999_600];
    let often = shown(&twice, 1_000_000).dies_often.unwrap();
    assert_eq!(often.deaths, 2);
    let value = serde_json::to_value(&often).unwrap();
    assert_eq!(value["last"], "1970-01-12T13:40:00Z");
    assert!(often.until > Timestamp::from_unix_seconds(1_000_000));
    let later = often.until.unix_seconds();
    assert!(shown(&twice, later - 1).dies_often.is_some());
    assert!(shown(&twice, later).dies_often.is_none());
}
