//! Legacy iptables, which keeps its rules in tables of its own, beside nftables.

mod rules;

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::system::{OfTable, read_table};
use crate::{Facility, IpFamily, OsError, ReadError, Reading, ServiceTarget};

const READING: Reading = Reading::IptablesTargets;
/// How often it is tried to read a table that changes meanwhile.
const ATTEMPTS: u8 = 10;
/// The name of a table in what is asked (`XT_TABLE_MAXNAMELEN`).
const NAME: usize = 32;
/// `ipt_getinfo`: the name, which hooks there are, where each begins and what becomes of what is left, the number of entries and
/// their size.
const INFO: usize = NAME + 4 + 2 * 5 * 4 + 4 + 4;
/// `ipt_get_entries`: the name, the size, and padding before the first entry, which holds numbers of 8 bytes.
const HEADER: usize = NAME + 8;

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

/// What kube-proxy's rules in the table `nat` take to Services. The table has to be in use: to ask for it makes it be so.
pub(super) fn targets(family: IpFamily) -> Result<Vec<ServiceTarget>, ReadError> {
    let refused = |error: Errno| ReadError::Refused {
        reading: READING,
        error: OsError::from_raw(error as i32),
    };
    let domain = match family {
        IpFamily::V4 => AddressFamily::Inet,
        IpFamily::V6 => AddressFamily::Inet6,
    };
    // Any socket of the family will do; nothing is ever sent.
    let socket = socket(domain, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    let socket = socket.map_err(refused)?;
    for _ in 0..ATTEMPTS {
        let mut info = nat(INFO);
        read_table(socket.as_fd(), family, OfTable::Info, &mut info).map_err(refused)?;
        let size = &info[INFO - 4..];
        let length = u32::from_ne_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let mut entries = nat(HEADER + length);
        entries[NAME..NAME + 4].copy_from_slice(size);
        match read_table(socket.as_fd(), family, OfTable::Entries, &mut entries) {
            // It has another size by now.
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(refused(error)),
            Ok(()) => {
                return rules::targets(&entries[HEADER..], family).map_err(|detail| {
                    ReadError::Malformed {
                        reading: READING,
                        detail,
                    }
                });
            }
        }
    }
    Err(ReadError::Unsettled {
        reading: READING,
        attempts: ATTEMPTS,
    })
}

/// So many bytes, which begin with the name of the table.
fn nat(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes[..3].copy_from_slice(b"nat");
    bytes
}
