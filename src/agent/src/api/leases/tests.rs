use kube::core::Status;

use super::*;

fn record(holder: Option<&str>) -> Record {
    Record {
        holder: holder.map(str::to_owned),
        duration: Duration::from_secs(10),
        transitions: 3,
    }
}

#[test]
fn what_is_written_is_read_as_it_was_meant() {
    for holder in [None, Some("n1")] {
        for version in [None, Some("7")] {
            let record = record(holder);
            let mut body = body("fenced-10-0-0-1", version, &record, true);
            assert_eq!(body["metadata"]["resourceVersion"].as_str(), version);
            body["metadata"]["resourceVersion"] = "8".into();
            let lease: Lease = serde_json::from_value(body).unwrap();
            let version = "8".to_owned();
            assert_eq!(seen(&lease), Seen { version, record });
        }
    }
}

#[test]
fn a_renewal_says_nothing_of_when_it_was_taken() {
    let body = body("fenced-10-0-0-1", Some("7"), &record(Some("n1")), false);
    assert_eq!(body["spec"].get("acquireTime"), None);
    assert!(body["spec"]["renewTime"].is_string());
}

#[test]
fn an_empty_holder_is_none() {
    let lease = json!({"metadata": {"resourceVersion": "9"}, "spec": {"holderIdentity": ""}});
    let lease: Lease = serde_json::from_value(lease).unwrap();
    assert_eq!(seen(&lease).record.holder, None);
}

#[test]
fn only_who_was_refused_for_the_version_may_look_and_try_again() {
    let of = |code| {
        let status = Status {
            code,
            message: "why".to_owned(),
            ..Status::default()
        };
        answer(Err(kube::Error::Api(Box::new(status))))
    };
    assert_eq!(answer(Ok(None)), Answer::Is(None));
    assert_eq!(of(409), Answer::Conflict);
    assert_eq!(of(404), Answer::Conflict);
    for code in [403, 500, 503] {
        assert!(matches!(of(code), Answer::Lost(_)), "{code}");
    }
}
