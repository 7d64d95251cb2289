//! From the steps of a builder to the entries of a layer: every path once, parents before
//! children.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{ImageError, libraries};

/// One thing in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Dir { mode: u32 },
    Link { target: String },
    Text { contents: String, mode: u32 },
    Copy { source: PathBuf, mode: u32 },
}

/// One call of a builder method.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Node { path: String, node: Node },
    Dir { path: String },
    File { source: PathBuf, path: String },
    Program { source: PathBuf, path: String },
    ProgramsIn { source: PathBuf, dir: String },
}

/// Everything in the image, by its path without a leading slash. A parent sorts before its
/// children, as it is a prefix of them.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<String, Node>);

/// Runs the steps: looks at the files of this machine, but copies nothing yet.
pub(super) fn resolve(steps: &[Step]) -> Result<Tree, ImageError> {
    let mut tree = Tree::default();
    let mut programs = Vec::new();
    for step in steps {
        match step {
            Step::Node { path, node } => tree.insert(path, node.clone())?,
            Step::Dir { path } => tree.insert_dir(path)?,
            Step::File { source, path } => {
                let mode = if is_executable(source)? { 0o755 } else { 0o644 };
                tree.insert(
                    path,
                    Node::Copy {
                        source: source.clone(),
                        mode,
                    },
                )?;
            }
            Step::Program { source, path } => {
                tree.insert(
                    path,
                    Node::Copy {
                        source: source.clone(),
                        mode: 0o755,
                    },
                )?;
                programs.push(source.clone());
            }
            Step::ProgramsIn { source, dir } => {
                for file in files_of(source)? {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let path = format!("{dir}/{name}");
                    tree.insert(
                        &path,
                        Node::Copy {
                            source: file.clone(),
                            mode: 0o755,
                        },
                    )?;
                    programs.push(file);
                }
            }
        }
    }
    for library in libraries::needed_by(&programs)? {
        let path = library.to_string_lossy().into_owned();
        tree.insert(
            &path,
            Node::Copy {
                source: library,
                mode: 0o755,
            },
        )?;
    }
    Ok(tree)
}

impl Tree {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    fn insert(&mut self, path: &str, node: Node) -> Result<(), ImageError> {
        let path = normal(path)?;
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            match self.0.get(parent) {
                None => {
                    self.0.insert(parent.to_owned(), directory(parent));
                }
                Some(Node::Dir { .. }) => {}
                Some(_) => {
                    let parent = parent.to_owned();
                    return Err(ImageError::NoDirectory { path, parent });
                }
            }
        }
        match self.0.get(&path) {
            None => {
                self.0.insert(path, node);
                Ok(())
            }
            Some(present) if *present == node => Ok(()),
            Some(_) => Err(ImageError::Twice { path }),
        }
    }

    fn insert_dir(&mut self, path: &str) -> Result<(), ImageError> {
        let node = directory(&normal(path)?);
        self.insert(path, node)
    }
}

fn directory(path: &str) -> Node {
    let mode = if matches!(path, "tmp" | "var/tmp") {
        0o1777
    } else {
        0o755
    };
    Node::Dir { mode }
}

/// The path without slashes at its ends and without empty and `.` parts.
fn normal(path: &str) -> Result<String, ImageError> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.is_empty() || parts.contains(&"..") || path.contains('\0') {
        return Err(ImageError::BadPath {
            path: path.to_owned(),
        });
    }
    Ok(parts.join("/"))
}

fn is_executable(path: &Path) -> Result<bool, ImageError> {
    let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    Ok(metadata.permissions().mode() & 0o100 != 0)
}

fn files_of(dir: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| unreadable(dir, source))? {
        let path = entry.map_err(|source| unreadable(dir, source))?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn unreadable(path: &Path, source: std::io::Error) -> ImageError {
    ImageError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
