use super::{WriteError, Writing};
use crate::OsError;

#[test]
fn an_error_names_the_verb_and_the_object() {
    let ip = "fd00::100".parse().unwrap();
    let (link, prefix) = (3, 128);
    let put = Writing::Put { link, ip, prefix };
    let text = WriteError::refused(put, OsError::from_raw(22)).to_string();
    assert!(
        text.starts_with("putting fd00::100/128 on link 3: the kernel refuses: Invalid argument"),
        "{text}"
    );
    let remove = Writing::Remove { link, ip, prefix };
    let denied = WriteError::refused(remove, OsError::from_raw(1));
    assert_eq!(denied, WriteError::Denied { writing: remove });
    let text = denied.to_string();
    assert!(
        text.starts_with("removing fd00::100/128 from link 3: permission denied"),
        "{text}"
    );
    let gone = WriteError::refused(put, OsError::from_raw(19));
    assert_eq!(gone, WriteError::NoLink { writing: put });
    let filter = WriteError::refused(Writing::PortFilter, OsError::from_raw(12)).to_string();
    assert!(
        filter.starts_with("replacing the table inet mooring of nftables: the kernel refuses"),
        "{filter}"
    );
}
