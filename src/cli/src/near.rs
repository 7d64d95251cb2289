//! A name that is nobody's, and those that may be meant.

use std::net::IpAddr;
use std::sync::Arc;

use mooring_core::ipam::service::Service;
use mooring_core::kube_proxy::snapshot::ObjectName;

/// How many are named.
const NAMED: usize = 5;
/// How many letters may differ.
const DISTANCE: usize = 2;

/// That there is no such Service, with those of its name elsewhere, and those of its namespace with a similar name.
pub(crate) fn missing(id: &ObjectName, services: &[Arc<Service>]) -> String {
    let ids = || services.iter().map(|service| &service.id);
    let elsewhere = ids().filter(|other| other.name == id.name);
    let similar = ids().filter(|other| {
        other.namespace == id.namespace && distance(&other.name, &id.name) <= DISTANCE
    });
    let near: Vec<String> = elsewhere
        .chain(similar)
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    let hint = match near.as_slice() {
        [] => format!(
            "see which there are: kubectl -n {} get services",
            id.namespace
        ),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    format!(
        "there is no Service {} in namespace {}: {hint}",
        id.name, id.namespace
    )
}

/// That there is no such node, with those of a similar name, or the first few of all.
pub(crate) fn no_node(name: &str, nodes: &[&str]) -> String {
    let similar = nodes.iter().filter(|node| distance(node, name) <= DISTANCE);
    let near: Vec<&str> = similar.copied().take(NAMED).collect();
    let hint = match (near.as_slice(), nodes) {
        ([], []) => "there is none in this cluster".to_owned(),
        ([], nodes) if nodes.len() <= NAMED => format!("there are {}", nodes.join(", ")),
        ([], _) => "see which there are: kubectl get nodes".to_owned(),
        (near, _) => format!("did you mean {}?", near.join(" or ")),
    };
    format!("there is no Linux node {name}: {hint}")
}

/// That nobody has the address, which is as `summary` says, with those that differ little.
pub(crate) fn no_address(address: IpAddr, summary: &str, known: &[IpAddr]) -> String {
    let text = address.to_string();
    let mut near: Vec<String> = known
        .iter()
        .map(IpAddr::to_string)
        .filter(|other| distance(other, &text) <= DISTANCE)
        .collect();
    near.sort_by_key(|other| distance(other, &text));
    near.truncate(NAMED);
    let hint = if near.is_empty() {
        "see which addresses there are: kubectl get xip".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    format!("no Service has {address}, so that it cannot be moved: {summary}; {hint}")
}

/// How many letters have to be added, removed or replaced (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, a) in one.bytes().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(names: &[(&str, &str)]) -> Vec<Arc<Service>> {
        names
            .iter()
            .map(|(namespace, name)| {
                Arc::new(Service {
                    id: ObjectName::new(*namespace, *name),
                    ..Service::default()
                })
            })
            .collect()
    }

    #[test]
    fn the_same_name_elsewhere_and_similar_names_here_are_named() {
        let services = services(&[
            ("shop", "web"),
            ("default", "wbe"),
            ("default", "database"),
            ("other", "wbe"),
        ]);
        assert_eq!(
            missing(&ObjectName::new("default", "web"), &services),
            "there is no Service web in namespace default: did you mean shop/web or default/wbe?"
        );
        assert_eq!(
            missing(&ObjectName::new("empty", "nothing"), &services),
            "there is no Service nothing in namespace empty: see which there are: kubectl -n empty get services"
        );
    }

    #[test]
    fn near_nodes_and_addresses_are_named() {
        assert_eq!(
            no_node("n-1", &["n1", "n2", "edge"]),
            "there is no Linux node n-1: did you mean n1 or n2?"
        );
        assert_eq!(
            no_node("worker", &["n1", "n2"]),
            "there is no Linux node worker: there are n1, n2"
        );
        let known: Vec<IpAddr> = ["10.0.1.1", "10.0.1.200", "10.0.1.21"]
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let address = IpAddr::from([10, 0, 1, 20]);
        assert_eq!(
            no_address(address, "10.0.1.20 is free in pool blue", &known),
            "no Service has 10.0.1.20, so that it cannot be moved: 10.0.1.20 is free in pool blue; did you mean 10.0.1.200 or \
             10.0.1.21 or 10.0.1.1?"
        );
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("web", "wbe", 2),
            ("kitten", "sitting", 3),
            ("web", "web-1", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
