//! The shared libraries of programs, as the loader of this machine would choose them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ImageError;

/// Program header type of a dynamic section (elf.h).
const PT_DYNAMIC: u32 = 2;

/// The paths of all shared libraries, and of the loader, that the programs need.
pub(super) fn needed_by(programs: &[PathBuf]) -> Result<BTreeSet<PathBuf>, ImageError> {
    let mut dynamic = Vec::new();
    for program in programs {
        if is_dynamic(program)? {
            dynamic.push(program.as_path());
        }
    }
    if dynamic.is_empty() {
        return Ok(BTreeSet::new());
    }
    let output = Command::new("ldd")
        .args(&dynamic)
        .env("LC_ALL", "C")
        // They would decide which libraries ldd finds.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(|source| ImageError::Ldd { source })?;
    read_ldd(&String::from_utf8_lossy(&output.stdout), &dynamic)
}

/// Reads what ldd prints: for each program a line `PATH:` (left out when there is one program)
/// and indented lines `NAME => PATH (ADDRESS)`, `PATH (ADDRESS)`, `NAME (ADDRESS)` for what the
/// kernel provides, `NAME => not found` or `statically linked`.
fn read_ldd(output: &str, programs: &[&Path]) -> Result<BTreeSet<PathBuf>, ImageError> {
    let mut current = match programs {
        [only] => Some(*only),
        _ => None,
    };
    let mut understood = BTreeSet::new();
    let mut libraries = BTreeSet::new();
    for line in output.lines() {
        let Some(fact) = line.strip_prefix('\t') else {
            current = line.strip_suffix(':').map(Path::new);
            continue;
        };
        if let Some((library, "not found")) = fact.split_once(" => ") {
            return Err(ImageError::MissingLibrary {
                program: current.unwrap_or(Path::new("a program")).to_owned(),
                library: library.to_owned(),
            });
        }
        let place = fact
            .rsplit_once(" (0x")
            .map(|(named, _)| named.split_once(" => ").map_or(named, |(_, place)| place));
        if let Some(path) = place.filter(|place| place.starts_with('/')) {
            libraries.insert(PathBuf::from(path));
        }
        if place.is_some() || fact == "statically linked" {
            understood.extend(current);
        }
    }
    match programs
        .iter()
        .find(|program| !understood.contains(*program))
    {
        Some(program) => Err(ImageError::Foreign {
            path: (*program).to_owned(),
        }),
        None => Ok(libraries),
    }
}

/// Whether the loader has anything to do for an ELF file.
fn is_dynamic(path: &Path) -> Result<bool, ImageError> {
    let read = |source| ImageError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(read)?;
    match has_dynamic_section(&mut file) {
        Ok(Some(dynamic)) => Ok(dynamic),
        Ok(None) => Err(ImageError::NotAProgram {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ImageError::NotAProgram {
                path: path.to_owned(),
            })
        }
        Err(error) => Err(read(error)),
    }
}

/// `None` if it is no 64-bit little-endian ELF file, the only kind that this reads (and the kind
/// of every architecture that Kubernetes is built for but s390x).
fn has_dynamic_section(file: &mut (impl Read + Seek)) -> io::Result<Option<bool>> {
    let mut header = [0; 64];
    file.read_exact(&mut header)?;
    let [0x7f, b'E', b'L', b'F', 2, 1, ..] = header else {
        return Ok(None);
    };
    let half = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let mut table_at = [0; 8];
    table_at.copy_from_slice(&header[32..40]);
    let (table, size, count) = (u64::from_le_bytes(table_at), half(54), half(56));
    for index in 0..count {
        let mut kind = [0; 4];
        file.seek(SeekFrom::Start(table.saturating_add(index * size)))?;
        file.read_exact(&mut kind)?;
        if u32::from_le_bytes(kind) == PT_DYNAMIC {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

#[cfg(test)]
mod tests;
