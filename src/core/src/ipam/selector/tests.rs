use super::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn expression(key: &str, operator: Operator, values: &[&str]) -> LabelSelector {
    LabelSelector {
        match_labels: BTreeMap::new(),
        match_expressions: vec![Expression {
            key: key.to_owned(),
            operator,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }],
    }
}

#[test]
fn each_operator_asks_what_kubernetes_asks() {
    use Operator::{DoesNotExist, Exists, In, NotIn, Unknown};
    // Whether it selects: no label, the value "a", the value "b", an empty value.
    for (operator, values, wanted) in [
        (In, &["a", "c"][..], [false, true, false, false]),
        (In, &[""], [false, false, false, true]),
        (In, &[], [false, false, false, false]),
        (NotIn, &["a", "c"], [true, false, true, true]),
        (NotIn, &[], [true, true, true, true]),
        (Exists, &[], [false, true, true, true]),
        (DoesNotExist, &[], [true, false, false, false]),
        (
            Unknown("Like".to_owned()),
            &["a"],
            [false, false, false, false],
        ),
    ] {
        let selector = expression("key", operator, values);
        let objects = [
            labels(&[]),
            labels(&[("key", "a")]),
            labels(&[("key", "b"), ("other", "a")]),
            labels(&[("key", "")]),
        ];
        let selects = objects.map(|object| selector.selects(&object));
        assert_eq!(selects, wanted, "{selector}");
    }
}

#[test]
fn all_terms_have_to_hold_and_none_selects_everything() {
    assert!(LabelSelector::default().selects(&labels(&[])));
    let mut selector = expression("b", Operator::Exists, &[]);
    selector.match_labels = labels(&[("a", "1")]);
    assert!(!selector.selects(&labels(&[("a", "1")])));
    assert!(!selector.selects(&labels(&[("b", "")])));
    assert!(!selector.selects(&labels(&[("a", "2"), ("b", "")])));
    assert!(selector.selects(&labels(&[("a", "1"), ("b", ""), ("c", "3")])));
}

#[test]
fn a_mismatch_says_what_is_there_and_what_is_asked_for() {
    let mut selector = expression("zone", Operator::In, &["a", "b"]);
    selector.match_labels = labels(&[("network-role", "ingress-node")]);
    let said = |pairs: &[(&str, &str)]| {
        selector
            .first_mismatch(&labels(pairs))
            .map(|mismatch| mismatch.to_string())
    };
    assert_eq!(
        said(&[]).as_deref(),
        Some("it has no label network-role, and network-role=ingress-node is asked for")
    );
    assert_eq!(
        said(&[("network-role", "storage")]).as_deref(),
        Some("it has the label network-role=storage, and network-role=ingress-node is asked for")
    );
    assert_eq!(
        said(&[("network-role", "ingress-node"), ("zone", "c")]).as_deref(),
        Some("it has the label zone=c, and zone in (a,b) is asked for")
    );
    assert_eq!(
        said(&[("network-role", "ingress-node"), ("zone", "b")]),
        None
    );
}
