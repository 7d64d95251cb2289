//! The images that `scripts/images` makes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::cargo;

/// The root of the source tree.
pub(crate) fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tars of the operator's and the agent's image, as of this source tree. cargo sees to it that programs are built once
/// however many tests ask, and an image appears when it is complete.
pub(crate) fn images() -> &'static [PathBuf] {
    static IMAGES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    IMAGES.get_or_init(build)
}

/// One of the static programs that are in the images.
pub(crate) fn program(name: &str) -> PathBuf {
    let target = images()[0].parent().and_then(Path::parent).unwrap();
    std::fs::read_dir(target)
        .unwrap()
        .flatten()
        .map(|entry| entry.path().join("release").join(name))
        .find(|path| path.is_file())
        .unwrap()
}

fn build() -> Vec<PathBuf> {
    testbed::cache::note("scripts/images (4 minutes from nothing on 2 cores)");
    let mut script = cargo::unrelated(Command::new(tree().join("scripts/images")));
    let output = script
        .env("TESTBED", env!("CARGO_BIN_EXE_testbed"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "scripts/images failed:\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let images: Vec<PathBuf> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tar "))
        .map(|path| tree().join(path.trim()))
        .collect();
    assert_eq!(images.len(), 2, "two images in:\n{said}");
    images
}
