//! The process inside a bed that owns everything in it.
//!
//! ```text
//! testbed up / a test
//!   `- unshare --mount --pid --kill-child
//!       `- sh (init of the bed's pid namespace)
//!           `- testbed supervise            <- this
//!               |- etcd, kube-apiserver, ... (network namespace cp)
//!               `- one machine per node
//! ```
//!
//! The bed is one pid namespace and one mount namespace with a tmpfs over `/run`. Whichever process of the chain dies,
//! the kernel ends all the others, and with the last of them go the network namespaces (their names are mounts on
//! that tmpfs), the bridges, taps and files. So nothing can be left behind, however a run ends; a test holds the other
//! end of our standard input, and when that closes we end.

mod diagnosis;
mod fabric;
pub(crate) mod layout;
mod machine;
mod server;
mod world;

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use std::{fs, thread};

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use serde::{Deserialize, Serialize};

use crate::protocol::SOCKET_PREFIX;
use crate::spec::{Name, Spec};
pub(crate) use fabric::pod_routes;
use world::World;

/// What the supervisor is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// The bed to make.
    pub spec: Spec,
    /// The nodes' kernel.
    pub kernel: PathBuf,
    /// The program with all of Kubernetes.
    pub controlplane: PathBuf,
    /// Image tars for every node.
    pub images: Vec<PathBuf>,
    /// End when standard input closes.
    pub lifeline: bool,
}

/// The line that says that the bed is ready.
pub(crate) const READY: &str = "ready";
/// The start of the line that says why there is no bed.
pub(crate) const FAILED: &str = "failed: ";

/// Makes the bed and serves requests until it is asked to end.
pub fn supervise(orders: &Orders) -> ExitCode {
    let begin = Instant::now();
    let say =
        move |text: &str| say_line(&format!("{:6.1} s  {text}", begin.elapsed().as_secs_f64()));
    if orders.lifeline {
        thread::spawn(end_with_standard_input);
    }
    match make(orders, &say) {
        Ok((world, listener)) => {
            say_line(READY);
            server::serve(&world, &listener);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say_line(&format!(
                "{FAILED}{}",
                format!("{error:#}").replace('\n', "\n  ")
            ));
            ExitCode::FAILURE
        }
    }
}

fn make(orders: &Orders, say: &(dyn Fn(&str) + Sync)) -> Result<(Arc<World>, UnixListener)> {
    let listener = listen(&orders.spec.name)?;
    furnish(orders)?;
    let world = Arc::new(World::new(orders)?);
    world.start(say)?;
    Ok((world, listener))
}

/// Takes the bed's name.
fn listen(name: &Name) -> Result<UnixListener> {
    let address = SocketAddr::from_abstract_name(format!("{SOCKET_PREFIX}{name}"))?;
    UnixListener::bind_addr(&address).with_context(|| {
        format!("a bed named {name} is up already (`testbed down --name {name}` ends it)")
    })
}

/// Mounts the bed's own `/run` and puts there what nodes and programs expect.
fn furnish(orders: &Orders) -> Result<()> {
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755,size=90%"),
    )
    .context("cannot mount a tmpfs over /run: the test bed needs root")?;
    for folder in layout::folders() {
        fs::create_dir_all(folder)?;
    }
    fs::create_dir_all("/run/netns")?;
    fs::create_dir_all("/run/lock")?;
    write_program(&layout::guest_init(), include_str!("../../guest/init"))?;
    for image in &orders.images {
        let name = image
            .file_name()
            .with_context(|| format!("{} has no file name", image.display()))?;
        std::os::unix::fs::symlink(image, layout::images().join(name))?;
    }
    for program in [
        "kubectl",
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
    ] {
        std::os::unix::fs::symlink(&orders.controlplane, layout::programs().join(program))?;
    }
    Ok(())
}

fn write_program(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn end_with_standard_input() {
    let mut sink = [0; 64];
    while matches!(std::io::stdin().read(&mut sink), Ok(count) if count > 0) {}
    std::process::exit(0);
}

/// Writes a line for whoever started us; that they may be gone is no error.
fn say_line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
