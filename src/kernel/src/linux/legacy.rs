use std::fs;
use std::io;
use std::path::Path;

use crate::{Facility, IpFamily, ReadError, Reading};

/// `thread-self`, since `/proc/net` shows the namespace of the process's first thread.
pub(super) fn tables(proc: &Path, family: IpFamily) -> Result<Facility<Vec<String>>, ReadError> {
    let file = match family {
        IpFamily::V4 => "ip_tables_names",
        IpFamily::V6 => "ip6_tables_names",
    };
    match fs::read(proc.join("thread-self/net").join(file)) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
            names.sort();
            Ok(Facility::Present(names))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Facility::Absent),
        Err(error) => Err(ReadError::File {
            reading: Reading::LegacyTables,
            error: (&error).into(),
        }),
    }
}
