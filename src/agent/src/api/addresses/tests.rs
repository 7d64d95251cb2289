use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use kube::Config;
use mooring_api::external_ip::{self, Held};
use mooring_core::ipam::reason::{AnnouncedReason, SingleResponderReason};
use serde_json::{Value, json};

use super::*;

/// The answers of an API server, in their order, and what was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Script {
    /// The keeper of node n1, talking to a server that answers this.
    async fn play(&self, answers: &[(u16, Value)]) -> Berths {
        self.answers.lock().unwrap().extend(answers.to_vec());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let config = Config::new(uri.parse().unwrap());
        Berths::new(Client::try_from(config).unwrap(), "n1")
    }

    /// The methods, with the versions that patches named.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let version = |body: &Value| match body["metadata"]["resourceVersion"].as_str() {
            Some(version) => format!(" {version}"),
            None => String::new(),
        };
        asked
            .iter()
            .map(|(method, body)| format!("{method}{}", version(body)))
            .collect()
    }
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, String) {
    let path = "/apis/mooring.dev/v1alpha1/externalips/10-77-0-200";
    if method == Method::PATCH {
        assert_eq!(uri.path(), format!("{path}/status"));
        let query = uri.query().unwrap();
        assert!(query.contains("force=true"), "{query}");
        let manager = query
            .split(['=', '&'])
            .find(|word| word.starts_with("mooring-"));
        let status = serde_json::from_slice::<Value>(&body).unwrap()["status"].take();
        let single = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "SingleResponder");
        let expected = match single {
            true => "mooring-witness",
            false => "mooring-agent",
        };
        assert_eq!(manager, Some(expected), "{query}");
    } else {
        assert_eq!(uri.path(), path);
    }
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut asked = script.asked.lock().unwrap();
    asked.push((method.to_string(), body));
    let (code, body) = script.answers.lock().unwrap().pop_front().unwrap();
    (StatusCode::from_u16(code).unwrap(), body.to_string())
}

fn object(version: &str, status: Value) -> Value {
    json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": "10-77-0-200", "uid": "u1", "resourceVersion": version},
        "spec": {"address": "10.77.0.200", "pool": {"group": "mooring.dev", "name": "blue"}},
        "status": status,
    })
}

fn known(version: &str, status: Value) -> Address {
    let object = serde_json::from_value(object(version, status)).unwrap();
    Address::of(object, "n1").unwrap()
}

fn failure(code: u16) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "no", "reason": "Some", "code": code,
    });
    (code, status)
}

fn now() -> Time {
    Time(jiff::Timestamp::from_second(100).unwrap())
}

fn said(held: bool) -> Said {
    let held = held.then(|| Held {
        node: "n1".to_owned(),
        interface: "eth0".to_owned(),
        mac: None,
        method: external_ip::Method::Uplink,
        since: now(),
        last_move: None,
        last_overlap: None,
        term: None,
    });
    let reason = match &held {
        Some(_) => AnnouncedReason::Announced,
        None => AnnouncedReason::Failed,
    };
    Said {
        held,
        conditions: vec![Condition::new(reason, "So it is.")],
    }
}

#[tokio::test]
async fn what_is_said_is_written_once() {
    let script = Script::default();
    let berths = script.play(&[(200, object("8", json!({})))]).await;
    let before = known("7", json!({}));
    assert!(!before.says(&said(true)));
    let written = berths.write(&before, &said(true), &now()).await;
    assert_eq!(written, Ok(Written::At("8".to_owned())));
    let asked = script.asked.lock().unwrap();
    let body = &asked[0].1;
    assert_eq!(
        body["metadata"],
        json!({"name": "10-77-0-200", "uid": "u1"})
    );
    let stands = known("8", body["status"].clone());
    assert!(stands.says(&said(true)));
    assert!(!stands.says(&said(false)));
}

#[tokio::test]
async fn a_node_that_waits_does_not_silence_the_one_that_has_the_address() {
    let script = Script::default();
    let berths = script.play(&[(200, object("8", json!({})))]).await;
    let held = known("7", json!({"node": "n2"}));
    let written = berths.write(&held, &said(false), &now()).await;
    assert_eq!(written, Ok(Written::HeldElsewhere));
    assert!(script.asked().is_empty());
    let written = berths.write(&held, &said(true), &now()).await;
    assert_eq!(written, Ok(Written::At("8".to_owned())), "a take-over");
}

#[tokio::test]
async fn a_node_that_shall_have_the_address_says_why_it_waits_though_another_one_is_named() {
    let script = Script::default();
    let berths = script.play(&[(200, object("8", json!({})))]).await;
    let mut lost = known("7", json!({"node": "n2"}));
    lost.planned = Some("n1".to_owned());
    assert!(!lost.says(&said(false)));
    let written = berths.write(&lost, &said(false), &now()).await;
    assert_eq!(written, Ok(Written::At("8".to_owned())));
    let asked = script.asked.lock().unwrap();
    let status = &asked[0].1["status"];
    assert_eq!(status["node"], Value::Null);
    assert_eq!(status["conditions"][0]["reason"], "Failed");
}

#[tokio::test]
async fn an_object_that_is_gone_is_no_trouble_and_a_refusal_is() {
    let script = Script::default();
    let answers = [
        failure(404),
        failure(409),
        failure(403),
        failure(409),
        failure(404),
    ];
    let berths = script.play(&answers).await;
    let known = known("7", json!({"node": "n1"}));
    for _ in 0..2 {
        let written = berths.write(&known, &said(true), &now()).await;
        assert_eq!(written, Ok(Written::Gone));
    }
    let denied = Trouble::Denied("no".to_owned());
    let written = berths.write(&known, &said(true), &now()).await;
    assert_eq!(written, Err(denied));
    assert_eq!(berths.let_go(&known, &now()).await, Ok(LetGo::Gone));
}

#[tokio::test]
async fn a_node_lets_go_of_what_it_wrote_though_others_write_there_too() {
    let script = Script::default();
    let seen = json!({"node": "n1", "seen": {"witness": "n3", "time": "2026-01-02T03:04:05Z"}});
    let answers = [
        failure(409),
        (200, object("9", seen)),
        (200, object("10", json!({}))),
    ];
    let berths = script.play(&answers).await;
    let known = known("7", json!({"node": "n1"}));
    assert_eq!(berths.let_go(&known, &now()).await, Ok(LetGo::Done));
    assert_eq!(script.asked(), ["PATCH 7", "GET", "PATCH 9"]);
    let asked = script.asked.lock().unwrap();
    let status = asked[2].1["status"].as_object().unwrap();
    assert_eq!(status.keys().collect::<Vec<_>>(), ["conditions"]);
}

#[tokio::test]
async fn what_a_witness_saw_is_taken_back_once_no_node_has_the_address() {
    let script = Script::default();
    let mut left = witnessed();
    left.as_object_mut().unwrap().remove("node");
    let answers = [
        (200, object("9", left.clone())),
        (200, object("10", json!({}))),
        (200, object("9", left)),
        failure(409),
    ];
    let berths = script.play(&answers).await;
    let known = known("7", json!({"node": "n1"}));
    assert_eq!(berths.let_go(&known, &now()).await, Ok(LetGo::Done));
    assert_eq!(script.asked(), ["PATCH 7", "PATCH 9"]);
    let status = script.asked.lock().unwrap()[1].1["status"].take();
    assert_eq!(status["conditions"][0]["reason"], "NotWitnessed");
    assert_eq!(status.get("seen"), None);
    let written = berths.write(&known, &said(false), &now()).await;
    assert_eq!(
        written,
        Ok(Written::At("9".to_owned())),
        "a node has it by now"
    );
}

#[tokio::test]
async fn what_the_next_node_wrote_stays() {
    let script = Script::default();
    let taken = json!({"node": "n2"});
    let berths = script
        .play(&[failure(409), (200, object("9", taken.clone()))])
        .await;
    let ours = known("7", json!({"node": "n1"}));
    assert_eq!(berths.let_go(&ours, &now()).await, Ok(LetGo::Overtaken));
    assert_eq!(script.asked(), ["PATCH 7", "GET"]);
    let theirs = known("9", taken);
    assert_eq!(berths.let_go(&theirs, &now()).await, Ok(LetGo::Overtaken));
    assert_eq!(script.asked().len(), 2, "nothing is asked");
}

#[tokio::test]
async fn letting_go_is_not_tried_for_ever() {
    let script = Script::default();
    let moved = (200, object("9", json!({"node": "n1"})));
    let mut answers = vec![];
    for _ in 0..ATTEMPTS {
        answers.extend([failure(409), moved.clone()]);
    }
    let berths = script.play(&answers).await;
    let known = known("7", json!({"node": "n1"}));
    let conflict = Trouble::Conflict("no".to_owned());
    assert_eq!(berths.let_go(&known, &now()).await, Err(conflict));
}

/// What a look of this node comes to: nobody answered.
async fn look(berths: &Berths, at: i64, message: &str) -> Result<(), Trouble> {
    let time = Time(jiff::Timestamp::from_second(at).unwrap());
    let sighting = Sighting {
        witness: "n1".to_owned(),
        time: time.clone(),
        responders: vec![],
    };
    let single = Condition::new(SingleResponderReason::OneResponder, message);
    let known = known("7", json!({"node": "n2"}));
    berths.witness(&known, sighting, single, &time).await
}

/// The status of an address of which it was seen that one node answers, and not by whom.
fn witnessed() -> Value {
    json!({"node": "n2", "conditions": [{
        "type": "SingleResponder", "status": "True", "reason": "OneResponder", "message": "One.",
        "lastTransitionTime": "1970-01-01T00:00:07Z",
    }]})
}

#[tokio::test]
async fn a_witness_writes_beside_the_node_that_has_the_address() {
    let script = Script::default();
    let answers = [
        (200, object("9", witnessed())),
        (200, object("10", json!({}))),
        failure(404),
        failure(403),
    ];
    let berths = script.play(&answers).await;
    assert_eq!(look(&berths, 100, "One.").await, Ok(()));
    let body = script.asked.lock().unwrap()[1].1["status"].take();
    let seen = json!({"witness": "n1", "time": "1970-01-01T00:01:40Z"});
    assert_eq!(
        body,
        json!({"seen": seen, "conditions": witnessed()["conditions"]})
    );
    assert_eq!(look(&berths, 100, "One.").await, Ok(()), "it is gone");
    let denied = Trouble::Denied("no".to_owned());
    assert_eq!(look(&berths, 100, "One.").await, Err(denied));
}

#[tokio::test]
async fn a_witness_that_sees_the_same_writes_nothing() {
    let mut stands = witnessed();
    stands["seen"] = json!({"witness": "n1", "time": "1970-01-01T00:01:40Z"});
    let script = Script::default();
    let answers = [
        (200, object("9", stands.clone())),
        (200, object("9", stands.clone())),
        (200, object("10", json!({}))),
    ];
    let berths = script.play(&answers).await;
    assert_eq!(look(&berths, 160, "One.").await, Ok(()));
    assert_eq!(script.asked(), ["GET"]);
    assert_eq!(look(&berths, 220, "One, again.").await, Ok(()));
    assert_eq!(script.asked(), ["GET", "GET", "PATCH"]);
    let body = script.asked.lock().unwrap()[2].1["status"].take();
    assert_eq!(body["seen"], stands["seen"], "it saw the same since then");
}
