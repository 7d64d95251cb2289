//! The verb that makes an image.
#![allow(clippy::print_stdout, reason = "output of a command-line tool")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use testbed::image::Image;

/// Prints the image's name, digest and size in bytes.
pub(super) fn write(
    reference: &str,
    program: &Path,
    out: &Path,
    user: Option<String>,
    labels: Vec<(String, String)>,
) -> Result<ExitCode> {
    let name = program
        .file_name()
        .with_context(|| format!("{} has no file name", program.display()))?;
    let inside = format!("/{}", name.to_string_lossy());
    let mut image = Image::builder(reference)
        .program(program, &inside)
        .entrypoint([&inside])
        .user(user.unwrap_or_default());
    for (name, value) in labels {
        image = image.label(name, value);
    }
    let written = image
        .write(out)
        .with_context(|| format!("cannot write the image {reference}"))?;
    println!("{reference} {} {}", written.digest, written.size);
    Ok(ExitCode::SUCCESS)
}
