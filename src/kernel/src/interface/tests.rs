use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{InterfaceName, InterfaceNameError};

#[test]
fn takes_every_name_the_kernel_takes() {
    for name in [
        "lo",
        "eth0.100",
        "...",
        "kube-ipvs0",
        "br@1",
        "123456789012345",
    ] {
        let taken = InterfaceName::new(name).unwrap();
        assert_eq!(taken.as_os_str(), name);
        assert_eq!(taken.to_string(), name);
    }
    let latin = OsStr::from_bytes(b"caf\xe9");
    assert_eq!(InterfaceName::new(latin).unwrap().as_os_str(), latin);
}

#[test]
fn refuses_what_would_leave_its_directory_or_what_the_kernel_refuses() {
    assert_eq!(InterfaceName::new(""), Err(InterfaceNameError::Empty));
    for name in [".", "..", "../all", "a/b", "a:1", "a b", "a\n", "a\t", "\0"] {
        assert_eq!(
            InterfaceName::new(name),
            Err(InterfaceNameError::Forbidden(name.to_owned()))
        );
    }
    let long = "1234567890123456";
    assert_eq!(
        InterfaceName::new(long),
        Err(InterfaceNameError::TooLong(long.to_owned()))
    );
}
