use serde_json::{Value, json};

use super::*;
use crate::args::Format;
use crate::explanation::fixture::{Cluster, ip};

const ADDRESS: &str = "10.0.1.1";

/// 10.0.1.1 of shop/web, answered for by its node.
fn cluster() -> (Cluster, String) {
    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| {});
    cluster.settle();
    let owner = cluster.snapshot.addresses[0].planned.clone();
    let owner = owner.expect("a node");
    cluster.take(ADDRESS, &owner, "True", "Announced");
    (cluster, owner)
}

/// A node that is not the owner.
fn other(owner: &str) -> &'static str {
    if owner == "n1" { "n2" } else { "n1" }
}

fn refusal(cluster: Cluster, address: &str, to: &str) -> Moved {
    let look = cluster.look();
    let started = Moved::start(&look, ip(address), to);
    let immovable = look
        .decision
        .relocation(&look.snapshot, ip(address), to)
        .expect_err("it cannot be moved");
    refused(&look, ip(address), started, &immovable)
}

#[test]
fn all_that_keeps_an_address_away_is_named_and_where_to_read_more() {
    let (mut cluster, owner) = cluster();
    let to = other(&owner);
    let mut nodes = cluster.snapshot.nodes.iter_mut();
    let node = nodes.find(|node| node.view.name == to).expect("a node");
    node.cordoned = true;
    node.draining = true;
    let moved = refusal(cluster, ADDRESS, to);
    assert_eq!(
        moved.message,
        format!(
            "{to} cannot have 10.0.1.1: it was drained with kubectl mooring drain (--undo ends that), so that its addresses belong to other \
             nodes; it is cordoned, so that it takes no more addresses. What keeps it away from each node: kubectl mooring explain \
             10.0.1.1"
        )
    );
    let reasons: Vec<&str> = moved.obstacles.iter().map(|one| one.reason).collect();
    assert_eq!(reasons, ["Draining", "Cordoned"]);
    assert_eq!(moved.outcome.exit_code(), 1);
}

#[test]
fn what_is_not_there_is_named_with_what_may_be_meant() {
    let (owned, _) = cluster();
    assert_eq!(
        refusal(owned, "10.0.1.2", "n2").message,
        "no Service has 10.0.1.2, so that it cannot be moved: 10.0.1.2 is free in pool blue; did you mean 10.0.1.1?"
    );
    let (owned, _) = cluster();
    assert_eq!(
        refusal(owned, ADDRESS, "n4").message,
        "there is no Linux node n4: did you mean n1 or n2 or n3?"
    );
    let (mut resting, owner) = cluster();
    resting.change("web", |web| web.load_balancer = false);
    resting.settle();
    let to = other(&owner);
    assert_eq!(
        refusal(resting, ADDRESS, to).message,
        format!(
            "10.0.1.1 cannot be moved to {to}: no Service has it any more, so that it rests and belongs to no node until a Service gets \
             it"
        )
    );
}

#[test]
fn a_revertive_pool_says_what_to_change() {
    let (mut cluster, owner) = cluster();
    cluster.pool("blue", "10.0.1.1", "10.0.1.3", |spec| spec.revertive = true);
    let to = other(&owner);
    let moved = refusal(cluster, ADDRESS, to);
    assert_eq!(moved.reason.as_deref(), Some("Revertive"));
    assert_eq!(
        moved.message,
        format!(
            "10.0.1.1 cannot be moved to {to}: pool blue has spec.revertive: true, so that the operator would move the address back to \
             its first choice, {owner}, at once: set spec.revertive to false first"
        )
    );
}

#[test]
fn a_node_that_does_not_take_an_address_says_why_and_how_to_get_back() {
    let (mut cluster, owner) = cluster();
    let to = other(&owner);
    let look = cluster.snapshot.clone();
    cluster.wait(ADDRESS, "ProxyNotProgrammed");
    let waiting = cluster.snapshot.addresses[0].clone();
    let start = || Moved {
        from: Some(owner.clone()),
        to: to.to_owned(),
        ..Moved::start(&Cluster::default().look(), ip(ADDRESS), to)
    };
    let moved = not_taken(start(), Some(&waiting), Duration::from_secs(60));
    assert_eq!(
        moved.message,
        format!(
            "{to} has not taken 10.0.1.1 within 60 seconds: Node {owner} is to have 10.0.1.1, as its agent says. \
             (ProxyNotProgrammed). It stays planned for {to}; kubectl mooring move 10.0.1.1 --to {owner} takes that back"
        )
    );
    assert_eq!(moved.outcome.exit_code(), 2);
    // What the former node says of itself is no reason.
    let moved = not_taken(start(), Some(&look.addresses[0]), Duration::from_secs(1));
    assert!(
        moved.message.contains("see whether mooring-agent runs on"),
        "{}",
        moved.message
    );
    let moved = overruled(start(), Some(&waiting));
    assert!(
        moved
            .message
            .starts_with(&format!("10.0.1.1 is planned for {owner} by now")),
        "{}",
        moved.message
    );
    assert_eq!(moved.outcome.exit_code(), 2);
}

#[test]
fn an_address_that_has_moved_is_one_line_and_one_object() {
    let (cluster, owner) = cluster();
    let to = other(&owner);
    let moved = Moved {
        milliseconds: Some(1_449),
        ..Moved::start(&cluster.look(), ip(ADDRESS), to)
            .end(Outcome::Moved, format!("{to} answers for 10.0.1.1"))
    };
    assert_eq!(
        render::moved(&moved, Format::Table).expect("renders"),
        format!("10.0.1.1  {owner} -> {to}  shop/web  (1.4 s)\n")
    );
    let text = render::moved(&moved, Format::Json).expect("renders");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        value,
        json!({
            "address": "10.0.1.1", "services": ["shop/web"], "from": owner, "to": to, "outcome": "Moved", "reason": null,
            "message": format!("{to} answers for 10.0.1.1"), "obstacles": [], "milliseconds": 1449,
        })
    );
    let there = Moved::start(&cluster_again(), ip(ADDRESS), to);
    let there = there.end(Outcome::AlreadyThere, "it is there".to_owned());
    assert_eq!(
        render::moved(&there, Format::Table).expect("renders"),
        "it is there\n"
    );
    assert_eq!(there.outcome.exit_code(), 0);
}

fn cluster_again() -> Look {
    cluster().0.look()
}
