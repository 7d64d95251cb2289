use std::fmt;
use std::io;

/// An error number of the kernel: unlike `std::io::Error` it can be compared, so that tests can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsError(i32);

impl OsError {
    /// From an `errno` value, such as 13 for "permission denied".
    #[must_use]
    pub fn from_raw(errno: i32) -> Self {
        Self(errno.saturating_abs())
    }

    /// The `errno` value, never negative.
    #[must_use]
    pub fn raw(self) -> i32 {
        self.0
    }
}

impl From<&io::Error> for OsError {
    /// Calls of the system always carry a number; what does not is told as EIO.
    fn from(error: &io::Error) -> Self {
        const EIO: i32 = 5;
        Self::from_raw(error.raw_os_error().unwrap_or(EIO))
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.0).fmt(f)
    }
}
