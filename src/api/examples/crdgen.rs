//! Writes the CustomResourceDefinitions: `crdgen` to standard output, `crdgen FOLDER` one file each.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use mooring_api::manifests;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1);
    let mut out = io::stdout().lock();
    for manifest in manifests()? {
        match &folder {
            Some(folder) => {
                fs::create_dir_all(folder)?;
                fs::write(Path::new(folder).join(&manifest.file), &manifest.text)?;
            }
            None => write!(out, "---\n{}", manifest.text)?,
        }
    }
    Ok(())
}
