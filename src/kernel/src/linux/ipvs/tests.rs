use super::{GENL_ID_CTRL, family};

#[test]
fn a_family_is_found_in_the_kernels_own_list() {
    assert_eq!(family(b"nlctrl"), Ok(Some(GENL_ID_CTRL)));
    assert_eq!(family(b"no such family"), Ok(None));
}
