//! Slow builds, made once and kept outside the source tree under a name that holds a hash of everything they depend on.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::shell::{tail, words};

/// The folder with everything that was built; `TESTBED_CACHE` names another one.
pub fn folder() -> PathBuf {
    std::env::var_os("TESTBED_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/testbed"), PathBuf::from)
}

/// The path of `name` made from `ingredients`, whether it exists or not.
pub fn path(name: &str, ingredients: &[&[u8]]) -> PathBuf {
    let mut hash = Sha256::new();
    for part in ingredients {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    folder().join(format!("{name}-{digest}"))
}

/// Returns `target`, after `build` has made it if it is not there. Several processes may ask at once: one builds.
///
/// # Errors
/// If the folder cannot be written, or the build fails.
pub fn ensure(target: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if target.exists() {
        return Ok(target.to_owned());
    }
    let parent = target.parent().context("a cached thing has a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let lock = File::create(target.with_extension("lock"))?;
    let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    if !target.exists() {
        let partial = target.with_extension("partial");
        build(&partial)?;
        fs::rename(&partial, target)?;
    }
    drop(lock);
    Ok(target.to_owned())
}

/// Runs a long command, with its output in `log` and a line of progress on standard error every so often.
///
/// # Errors
/// If it cannot be started or fails; the text has the end of the log.
pub fn run_long(what: &str, usual: &str, log: &Path, command: &Command) -> Result<()> {
    let begin = Instant::now();
    note(&format!(
        "{what} (once; usually {usual}; log in {})",
        log.display()
    ));
    let mut file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = dying_with_us(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(file.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start `{}`", words(command)))?;
    let mut lines: u64 = 0;
    let mut last = Instant::now();
    for line in
        BufReader::new(child.stdout.take().context("standard output is piped")?).split(b'\n')
    {
        let line = line?;
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        lines += 1;
        if last.elapsed().as_secs() >= 30 {
            last = Instant::now();
            note(&format!(
                "{what}: {} s, {lines} steps so far",
                begin.elapsed().as_secs()
            ));
        }
    }
    let status = child.wait()?;
    if !status.success() {
        let end = tail(log, 15);
        bail!(
            "{what} failed ({status}) after {} s; {} ends with:\n{end}",
            begin.elapsed().as_secs(),
            log.display()
        );
    }
    note(&format!("{what}: done in {} s", begin.elapsed().as_secs()));
    Ok(())
}

/// The same command in a pid namespace that ends when this process does, so that an interrupted build leaves no
/// compilers behind.
fn dying_with_us(command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args([
        "--pdeathsig",
        "KILL",
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ]);
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

/// A line of progress for the person who waits.
#[allow(clippy::print_stderr, reason = "progress of a command-line tool")]
pub fn note(text: &str) {
    eprintln!("testbed: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_ingredient_changes_the_path() {
        assert_ne!(path("x", &[b"a", b"b"]), path("x", &[b"ab", b""]));
        assert_eq!(path("x", &[b"a"]), path("x", &[b"a"]));
    }

    #[test]
    fn builds_once_and_leaves_nothing_of_a_failed_build() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("testbed-cache-{}", std::process::id()));
        let target = folder.join("thing");
        assert!(ensure(&target, |_| bail!("no")).is_err());
        assert!(!target.exists());
        let mut built = 0;
        for _ in 0..2 {
            ensure(&target, |path| {
                built += 1;
                Ok(fs::write(path, "x")?)
            })?;
        }
        assert_eq!((built, fs::read_to_string(&target)?), (1, "x".to_owned()));
        fs::remove_dir_all(folder)?;
        Ok(())
    }
}
