use super::of_interest;

const RTM_NEWLINK: u16 = 16;

fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((16 + payload.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend(payload);
    bytes
}

#[test]
fn routes_to_one_pod_are_of_no_interest() {
    let pod = message(super::RTM_NEWROUTE, &[2, 32, 0, 0]);
    let default = message(super::RTM_DELROUTE, &[2, 0, 0, 0]);
    assert!(!of_interest(&pod));
    assert!(of_interest(&default));
    assert!(of_interest(&[pod.clone(), default].concat()));
    assert!(!of_interest(&[pod.clone(), pod].concat()));
}

#[test]
fn links_and_what_is_not_understood_are_of_interest() {
    assert!(of_interest(&message(RTM_NEWLINK, &[0; 16])));
    assert!(of_interest(&[1, 2, 3]));
}
