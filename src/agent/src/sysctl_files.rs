//! The files of the node that set sysctls at its start, read under the mount of its root directory.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use mooring_core::node::SysctlFile;
use mooring_core::node::sysctl_files::{DIRECTORIES, LAST_FILE};

/// No file of settings is longer, in bytes; one that is, is no such file.
const LONGEST: u64 = 1 << 20;
/// As the kernel follows them in one path (`MAXSYMLINKS`).
const LINKS: usize = 40;

/// Every file that sets an ARP sysctl, where `root` is the node's root directory. What cannot be read sets nothing here:
/// these files explain a value, they are not asked whether it is right.
pub(crate) fn read(root: &Path) -> Vec<SysctlFile> {
    let mut files = Vec::new();
    for directory in DIRECTORIES {
        let Some(inside) = resolve(root, Path::new(directory)) else {
            continue;
        };
        let Ok(entries) = fs::read_dir(&inside) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let path = Path::new(directory).join(&name);
            if path
                .extension()
                .is_some_and(|extension| extension == "conf")
            {
                files.push(parse(root, &path));
            }
        }
    }
    files.push(parse(root, Path::new(LAST_FILE)));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// A file that sets nothing of interest is kept, too: it hides those of its name elsewhere. One that cannot be read does
/// the same, as a link to `/dev/null` does by intent.
fn parse(root: &Path, path: &Path) -> SysctlFile {
    let name = path.to_string_lossy().into_owned();
    SysctlFile::parse(name, &text(root, path).unwrap_or_default())
}

fn text(root: &Path, path: &Path) -> Option<String> {
    let inside = resolve(root, path)?;
    let metadata = fs::metadata(&inside).ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return None;
    }
    let bytes = fs::read(&inside).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where a path of the node is in this process's file system. Links are followed as on the node: an absolute one starts
/// at `root` again, and none leads out of it.
fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut followed = 0;
    let mut done = root.to_owned();
    let mut todo: Vec<PathBuf> = parts(path);
    while let Some(part) = todo.pop() {
        if part == Path::new("..") {
            if done != root {
                done.pop();
            }
            continue;
        }
        let next = done.join(&part);
        match fs::read_link(&next) {
            Ok(target) => {
                followed += 1;
                if followed > LINKS {
                    return None;
                }
                if target.is_absolute() {
                    done = root.to_owned();
                }
                todo.extend(parts(&target));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => done = next,
            Err(_) => return None,
        }
    }
    Some(done)
}

/// The names and `..` of a path, the last first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    });
    let mut parts: Vec<PathBuf> = parts.collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests;
