//! Container images, written without a container engine: an OCI image layout in one tar.
//!
//! ```text
//! Image (what goes where) ── tree ──▶ sorted entries ── layout ──▶ one tar, in one pass
//!                             │
//!                             └─ libraries: what a dynamic program needs, by ldd
//! ```
//!
//! Nodes load it with `ctr -n k8s.io images import FILE`, and so do Docker, Podman and skopeo: the tar
//! is an OCI layout and a docker-archive at once. The same input gives the same bytes:
//! entries are sorted, times are zero and everything belongs to root. Layers are not compressed,
//! as nothing leaves the machine. It does not run programs of the image and needs no root.

pub mod catalog;
mod layout;
mod libraries;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tree::{Node, Step};

/// What an image is made of. Nothing is read before [`write`](Self::write).
///
/// Paths in the image are absolute, with or without the leading slash. Parent directories come by
/// themselves, with mode 0755 (`/tmp` with 1777).
#[derive(Debug, Clone)]
pub struct Image {
    reference: String,
    steps: Vec<Step>,
    config: Config,
}

/// How a container of the image is started.
#[derive(Debug, Clone, Default)]
struct Config {
    entrypoint: Vec<String>,
    user: String,
    cmd: Vec<String>,
    env: Vec<(String, String)>,
    labels: BTreeMap<String, String>,
}

/// An image on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The digest of the manifest (`sha256:...`), which identifies the image.
    pub digest: String,
    /// The size of the file in bytes.
    pub size: u64,
}

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A path in the image that is empty or has `..` in it.
    #[error("{path:?} is no path in an image; write it from the root, without `..`")]
    BadPath {
        /// The path as it was given.
        path: String,
    },
    /// Two different things at one path.
    #[error("the image has two different things at /{path}")]
    Twice {
        /// The path in the image.
        path: String,
    },
    /// Something below a file or a symbolic link.
    #[error("the image has /{path}, but /{parent} is no directory")]
    NoDirectory {
        /// The path in the image.
        path: String,
        /// The part of it that is a file or a symbolic link.
        parent: String,
    },
    /// A file of this machine cannot be read.
    #[error("{path} cannot be read: {source}; is its package installed?")]
    Read {
        /// The path on this machine.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A directory or a device where a file is needed.
    #[error("{path} is no regular file")]
    NotAFile {
        /// The path on this machine.
        path: PathBuf,
    },
    /// A file was written while it was copied.
    #[error("{path} changed while it was copied; try again when it is complete")]
    Changed {
        /// The path on this machine.
        path: PathBuf,
    },
    /// The tar cannot be written.
    #[error("image {path} cannot be written: {source}")]
    Write {
        /// The path on this machine.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not an ELF file of this machine's word size and byte order.
    #[error("{path} is no ELF program; add scripts and data as files")]
    NotAProgram {
        /// The path on this machine.
        path: PathBuf,
    },
    /// `ldd` cannot be run.
    #[error("the libraries of programs are found with ldd, which cannot be run: {source}")]
    Ldd {
        /// What the system says.
        source: io::Error,
    },
    /// `ldd` has no answer for a dynamic program, as for one of another architecture.
    #[error("ldd finds no libraries for {path}; is it a program of this machine's architecture?")]
    Foreign {
        /// The path on this machine.
        path: PathBuf,
    },
    /// A library that a program needs is not installed.
    #[error("{program} needs {library}, which is not installed on this machine")]
    MissingLibrary {
        /// The path of the program on this machine.
        program: PathBuf,
        /// The name of the library.
        library: String,
    },
}

impl Image {
    /// An empty image with that name, as in `localhost/web:1`.
    pub fn builder(reference: impl Into<String>) -> Self {
        Self {
            reference: reference.into(),
            steps: Vec::new(),
            config: Config::default(),
        }
    }

    /// A copy of a file; it is executable in the image if its owner may execute it here.
    pub fn file(self, host_path: impl AsRef<Path>, path: impl Into<String>) -> Self {
        self.step(Step::File {
            source: host_path.as_ref().to_owned(),
            path: path.into(),
        })
    }

    /// A copy of a program or shared library, with the shared libraries that it needs, each at
    /// the path where this machine has it.
    pub fn program(self, host_path: impl AsRef<Path>, path: impl Into<String>) -> Self {
        self.step(Step::Program {
            source: host_path.as_ref().to_owned(),
            path: path.into(),
        })
    }

    /// As [`program`](Self::program), for every file of a directory.
    pub fn programs_in(self, host_dir: impl AsRef<Path>, dir: impl Into<String>) -> Self {
        self.step(Step::ProgramsIn {
            source: host_dir.as_ref().to_owned(),
            dir: dir.into(),
        })
    }

    /// A symbolic link at `path` that points to `target`.
    pub fn symlink(self, target: impl Into<String>, path: impl Into<String>) -> Self {
        self.node(
            path,
            Node::Link {
                target: target.into(),
            },
        )
    }

    /// A directory. Only needed for one that stays empty.
    pub fn dir(self, path: impl Into<String>) -> Self {
        self.step(Step::Dir { path: path.into() })
    }

    /// A file with this text, and a mode as 0o644.
    pub fn text(self, path: impl Into<String>, contents: impl Into<String>, mode: u32) -> Self {
        self.node(
            path,
            Node::Text {
                contents: contents.into(),
                mode,
            },
        )
    }

    /// What a container runs.
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.config.entrypoint = words.into_iter().map(Into::into).collect();
        self
    }

    /// The arguments of the entrypoint, unless the container names its own.
    pub fn cmd<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.config.cmd = words.into_iter().map(Into::into).collect();
        self
    }

    /// Who the entrypoint runs as, such as `65532:65532`; root unless it is said. Kubernetes proves `runAsNonRoot` by
    /// numbers only.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.config.user = user.into();
        self
    }

    /// An environment variable. `PATH` has the usual directories unless it is set here.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.env.push((name.into(), value.into()));
        self
    }

    /// A label of the image.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.labels.insert(name.into(), value.into());
        self
    }

    /// The name of the image.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Reads everything and writes the image to `out`. The file appears when it is complete: it
    /// is written beside and then renamed.
    pub fn write(&self, out: &Path) -> Result<Written, ImageError> {
        let tree = tree::resolve(&self.steps)?;
        layout::write(&self.reference, &self.config, &tree, out)
    }

    fn node(self, path: impl Into<String>, node: Node) -> Self {
        self.step(Step::Node {
            path: path.into(),
            node,
        })
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
