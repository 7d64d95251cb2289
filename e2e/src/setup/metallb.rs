//! The real MetalLB, built from its Go module: for tests beside it, and to be measured against.
//!
//! Only beds that ask for it have it: its images are not among those that every node loads.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{IMAGES, controlplane, go, go_build, scratch, write_image};
use crate::cache;
use crate::image::catalog;

/// What is installed; the version is in `metallb/go.mod`.
const MODULE: [(&str, &str); 3] = [
    ("go.mod", include_str!("../../metallb/go.mod")),
    ("go.sum", include_str!("../../metallb/go.sum")),
    (
        "kustomization.yaml",
        include_str!("../../metallb/kustomization.yaml"),
    ),
];

/// Stripped, as Kubernetes is.
const LINKING: &str = "-s -w";

/// MetalLB, ready to be installed in a full bed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetalLb {
    /// The images that its manifests name, for [`crate::protocol::Request::LoadImage`].
    pub images: Vec<PathBuf>,
    /// Its own manifests as `metallb/kustomization.yaml` changes them: everything but a pool and its advertisement.
    pub manifest: PathBuf,
}

/// MetalLB's programs, images and manifests; built if they are not there.
///
/// # Errors
/// If Go is missing or the build fails.
pub fn metallb() -> Result<MetalLb> {
    let built = programs()?;
    let image = |name: &str, image| {
        let ingredients = [built.as_os_str().as_encoded_bytes(), IMAGES.as_bytes()];
        write_image(&format!("metallb-{name}"), &ingredients, &image)
    };
    Ok(MetalLb {
        images: vec![
            image(
                "controller",
                catalog::metallb_controller(&built.join("controller")),
            )?,
            image("speaker", catalog::metallb_speaker(&built.join("speaker")))?,
        ],
        manifest: built.join("metallb.yaml"),
    })
}

/// A folder with `controller`, `speaker` and `metallb.yaml`.
fn programs() -> Result<PathBuf> {
    let go = go()?;
    let mut ingredients: Vec<&[u8]> = vec![go.as_bytes(), LINKING.as_bytes()];
    ingredients.extend(MODULE.iter().map(|(_, text)| text.as_bytes()));
    let target = cache::path("metallb", &ingredients);
    if target.exists() {
        return Ok(target);
    }
    let kubectl = controlplane()?;
    cache::ensure(&target, |partial| {
        let folder = scratch(partial)?;
        for (file, text) in MODULE {
            fs::write(folder.join(file), text)?;
        }
        // What an interrupted build left.
        if partial.exists() {
            fs::remove_dir_all(partial)?;
        }
        fs::create_dir(partial)?;
        let mut command = go_build(&folder, LINKING, partial);
        command.args([
            "go.universe.tf/metallb/controller",
            "go.universe.tf/metallb/speaker",
        ]);
        let log = partial.with_extension("log");
        cache::run_long(
            "building MetalLB",
            "2 minutes and 220 MB of modules",
            &log,
            &command,
        )?;
        let mut command = Command::new("sh");
        command.current_dir(&folder).args([
            "-ec",
            "cp -R \"$(go list -m -f '{{.Dir}}' go.universe.tf/metallb)/config\" config
             exec \"$1\" kubectl kustomize . >\"$2\"",
            "sh",
        ]);
        command.arg(&kubectl).arg(partial.join("metallb.yaml"));
        crate::shell::run(&mut command).context("MetalLB's manifests")?;
        Ok(fs::remove_dir_all(folder)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_the_version_of_the_module() {
        let (_, module) = MODULE[0];
        for image in [catalog::METALLB_CONTROLLER, catalog::METALLB_SPEAKER] {
            let (_, version) = image.split_once(':').expect("a reference with a tag");
            let required = format!("go.universe.tf/metallb {version} ");
            assert!(module.contains(&required), "go.mod has no {required}");
        }
    }
}
