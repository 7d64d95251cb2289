use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::{Sysctl, SysctlError, Written};

pub(super) fn read(proc: &Path, sysctl: &Sysctl) -> Result<i32, SysctlError> {
    let bytes = fs::read(proc.join("sys").join(sysctl.path())).map_err(|e| failed(sysctl, &e))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    text.parse().map_err(|_| SysctlError::NotANumber {
        sysctl: sysctl.clone(),
        text: text.to_owned(),
    })
}

pub(super) fn write(proc: &Path, sysctl: &Sysctl, value: i32) -> Result<Written, SysctlError> {
    let from = read(proc, sysctl)?;
    if from == value {
        return Ok(Written::Unchanged);
    }
    // Never created: on a procfs that is not one, a stray file would look like a setting that took hold.
    let mut file = OpenOptions::new()
        .write(true)
        .open(proc.join("sys").join(sysctl.path()))
        .map_err(|e| failed(sysctl, &e))?;
    // One write call: procfs takes each as a whole value.
    let text = format!("{value}\n");
    file.write_all(text.as_bytes())
        .map_err(|e| failed(sysctl, &e))?;
    Ok(Written::Changed { from })
}

fn failed(sysctl: &Sysctl, error: &io::Error) -> SysctlError {
    let sysctl = sysctl.clone();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SysctlError::NotFound { sysctl },
        io::ErrorKind::ReadOnlyFilesystem => SysctlError::ReadOnly { sysctl },
        io::ErrorKind::PermissionDenied => SysctlError::Denied { sysctl },
        _ => SysctlError::Other {
            sysctl,
            error: error.into(),
        },
    }
}
