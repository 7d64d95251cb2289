use super::*;
use crate::kube_proxy::snapshot::{ContainerStatus, Metadata, ObjectName};
use crate::remediation::{PodRef, Restart};

fn rollout(nodes: &[&str]) -> Rollout {
    Rollout {
        daemon_set: ObjectName::new("kube-system", "kube-proxy"),
        container: "kube-proxy".to_owned(),
        restart: Restart::DeletePods,
        pods: nodes
            .iter()
            .map(|node| PodRef {
                id: ObjectName::new("kube-system", format!("old-{node}")),
                uid: format!("old-{node}"),
                node: (*node).to_owned(),
            })
            .collect(),
    }
}

fn pod(name: &str, node: &str, ready: bool) -> Pod {
    Pod {
        metadata: Metadata {
            id: ObjectName::new("kube-system", name),
            uid: name.to_owned(),
            ..Metadata::default()
        },
        node: Some(node.to_owned()),
        ready,
        ..Pod::default()
    }
}

fn stopping(mut pod: Pod) -> Pod {
    pod.metadata.terminating = true;
    pod
}

fn crashing(mut pod: Pod, reason: &str, restarts: i32) -> Pod {
    pod.containers = vec![ContainerStatus {
        name: "kube-proxy".to_owned(),
        waiting: Some((reason.to_owned(), "back-off 10s".to_owned())),
        last_exit: Some((1, "Error".to_owned())),
        restarts,
        ..ContainerStatus::default()
    }];
    pod
}

fn lines(events: Vec<Event>) -> Vec<String> {
    events.iter().map(Event::to_string).collect()
}

#[test]
fn each_step_of_each_node_is_told_once() {
    let mut progress = Progress::new(&rollout(&["n1", "n2"]));
    let old = |node: &str| pod(&format!("old-{node}"), node, true);
    assert!(progress.observe(&[old("n1"), old("n2")]).is_empty());
    let waiting =
        |nodes: &[&str]| Outcome::Waiting(nodes.iter().map(|n| (*n).to_owned()).collect());
    assert_eq!(progress.outcome(), waiting(&["n1", "n2"]));

    let look = [stopping(old("n1")), old("n2")];
    assert_eq!(
        lines(progress.observe(&look)),
        ["node n1: old pod old-n1 is stopping"]
    );
    assert!(progress.observe(&look).is_empty());

    let look = [pod("new-n1", "n1", false), old("n2")];
    assert_eq!(
        lines(progress.observe(&look)),
        [
            "node n1: old pod old-n1 is gone",
            "node n1: new pod new-n1 is starting"
        ]
    );
    let look = [pod("new-n1", "n1", true), old("n2")];
    assert_eq!(
        lines(progress.observe(&look)),
        ["node n1: new pod new-n1 is Ready (1 of 2)"]
    );
    assert_eq!(progress.outcome(), waiting(&["n2"]));

    let look = [pod("new-n1", "n1", true), pod("new-n2", "n2", true)];
    assert_eq!(
        lines(progress.observe(&look)),
        [
            "node n2: old pod old-n2 is gone",
            "node n2: new pod new-n2 is starting",
            "node n2: new pod new-n2 is Ready (2 of 2)"
        ]
    );
    assert_eq!(progress.outcome(), Outcome::Done);
}

#[test]
fn a_new_pod_beside_an_old_one_is_not_yet_done() {
    let mut progress = Progress::new(&rollout(&["n1"]));
    progress.observe(&[pod("old-n1", "n1", true), pod("new-n1", "n1", true)]);
    assert_eq!(progress.outcome(), Outcome::Waiting(vec!["n1".to_owned()]));
}

#[test]
fn a_node_whose_new_pod_falls_back_is_not_done_any_more() {
    let mut progress = Progress::new(&rollout(&["n1"]));
    progress.observe(&[pod("new-n1", "n1", true)]);
    assert_eq!(progress.outcome(), Outcome::Done);
    progress.observe(&[pod("new-n1", "n1", false)]);
    assert_eq!(progress.outcome(), Outcome::Waiting(vec!["n1".to_owned()]));
}

#[test]
fn pods_of_other_nodes_do_not_count() {
    let mut progress = Progress::new(&rollout(&["n1"]));
    assert_eq!(
        lines(progress.observe(&[pod("new-n9", "n9", true)])),
        ["node n1: old pod old-n1 is gone"]
    );
}

#[test]
fn a_crash_loop_ends_the_wait_and_other_trouble_is_told_once() {
    let mut progress = Progress::new(&rollout(&["n1"]));
    let pulling = crashing(pod("new-n1", "n1", false), "ImagePullBackOff", 0);
    let told = lines(progress.observe(std::slice::from_ref(&pulling)));
    assert_eq!(
        told[2],
        "node n1: pod new-n1: ImagePullBackOff: back-off 10s (the last run ended with status 1, Error)"
    );
    assert!(progress.observe(&[pulling]).is_empty());
    assert!(
        progress
            .trouble_on("n1")
            .is_some_and(|why| why.starts_with("ImagePull"))
    );
    assert_eq!(progress.outcome(), Outcome::Waiting(vec!["n1".to_owned()]));

    let crashing = crashing(
        pod("new-n1", "n1", false),
        "CrashLoopBackOff",
        HOPELESS_RESTARTS,
    );
    progress.observe(&[crashing]);
    let Outcome::Failed(trouble) = progress.outcome() else {
        panic!("{:?}", progress.outcome());
    };
    assert_eq!(
        (trouble.node.as_str(), trouble.pod.as_str()),
        ("n1", "new-n1")
    );
}
