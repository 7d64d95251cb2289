use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use thiserror::Error;

/// The name of a network interface, by the kernel's own rules (`dev_valid_name` in net/core/dev.c): 1 to 15 bytes, not
/// `.` or `..`, no slash, colon or white space. Dots inside are allowed (`eth0.100`), and so is text that is not UTF-8.
///
/// Such a name is always one component of a path, so it cannot lead out of the directory it is looked up in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(OsString);

/// Why a text cannot be the name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InterfaceNameError {
    /// Nothing at all.
    #[error("the name of an interface is empty")]
    Empty,
    /// Longer than the kernel's IFNAMSIZ leaves room for.
    #[error("\"{0}\" cannot name an interface: it is longer than 15 bytes")]
    TooLong(String),
    /// A byte or a whole name that the kernel refuses.
    #[error(
        "\"{0}\" cannot name an interface: the kernel takes no slash, colon or white space, and not \".\" or \"..\""
    )]
    Forbidden(String),
}

impl InterfaceName {
    /// IFNAMSIZ without the closing zero.
    const LONGEST: usize = 15;

    /// Checks `name` as the kernel would.
    pub fn new(name: impl AsRef<OsStr>) -> Result<Self, InterfaceNameError> {
        let name = name.as_ref();
        let bytes = name.as_bytes();
        let shown = || name.to_string_lossy().into_owned();
        // The kernel's isspace() knows Latin-1: its no-break space (0xa0) counts.
        let forbidden = |byte: &u8| matches!(byte, b'/' | b':' | 0 | 0xa0 | b' ' | 0x09..=0x0d);
        if bytes.is_empty() {
            Err(InterfaceNameError::Empty)
        } else if bytes.len() > Self::LONGEST {
            Err(InterfaceNameError::TooLong(shown()))
        } else if bytes == b"." || bytes == b".." || bytes.iter().any(forbidden) {
            Err(InterfaceNameError::Forbidden(shown()))
        } else {
            Ok(Self(name.to_owned()))
        }
    }

    /// The name as the kernel has it.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string_lossy().fmt(f)
    }
}

#[cfg(test)]
mod tests;
