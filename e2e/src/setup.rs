//! What a bed needs of the machine, installed and built on demand: Debian packages, the nodes' kernel, the program with
//! all of Kubernetes, the images.

mod metallb;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::image::Image;
use crate::image::catalog::{self, HostPrograms, Iptables};
use crate::shell::run;
use crate::spec::{Depth, Kernel, Spec};
use crate::supervisor::Orders;

pub use metallb::{MetalLb, metallb};

/// Kubernetes, as in `controlplane/go.mod`.
pub const KUBERNETES: &str = "1.35.4";

/// What every bed needs.
const PACKAGES: &[&str] = &[
    "busybox-static",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "curl",
    "iproute2",
    "ipset",
    "iptables",
    "iputils-ping",
    "ipvsadm",
    "kmod",
    "nftables",
    "procps",
    "runc",
    "tcpdump",
    "util-linux",
];
/// What building the own kernel needs.
const KERNEL_SOURCE: &str = "linux-source-6.1";
const KERNEL_PACKAGES: &[&str] = &[
    KERNEL_SOURCE,
    "bc",
    "bison",
    "flex",
    "gcc",
    "libc6-dev",
    "make",
    "patch",
    "xz-utils",
];
/// Debian's own User Mode Linux.
const DEBIAN_KERNEL: &str = "user-mode-linux";

const IMAGES: &str = include_str!("image/catalog.rs");
/// The web server's module.
const WEB: [(&str, &str); 2] = [
    ("go.mod", include_str!("../web/go.mod")),
    ("main.go", include_str!("../web/main.go")),
];
const KERNEL_CONFIG: &str = include_str!("../kernel/uml.config");
const KERNEL_PATCH: &str = include_str!("../kernel/xstate.patch");
const KERNEL_BUILD: &str = include_str!("../kernel/build");
const CONTROLPLANE: [(&str, &str); 6] = [
    ("main.go", include_str!("../controlplane/main.go")),
    ("oracle.go", include_str!("../controlplane/oracle.go")),
    ("stubs.s", include_str!("../controlplane/stubs.s")),
    (
        "kube-proxy/main.go",
        include_str!("../controlplane/kube-proxy/main.go"),
    ),
    ("go.mod", include_str!("../controlplane/go.mod")),
    ("go.sum", include_str!("../controlplane/go.sum")),
];

/// Installs and builds whatever a bed of this kind still lacks.
///
/// # Errors
/// If this is not root on Debian, or an installation or a build fails.
pub fn prepare(spec: &Spec, lifeline: bool) -> Result<Orders> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the test bed needs root: it makes network namespaces, mounts and tap devices");
    }
    ensure_packages(PACKAGES)?;
    let controlplane = controlplane()?;
    let (kernel, iptables) = match spec.kernel {
        Kernel::Own => (kernel()?, Iptables::Nft),
        Kernel::OwnWithoutNftables => (kernel()?, Iptables::Legacy),
        Kernel::Debian => {
            ensure_packages(&[DEBIAN_KERNEL])?;
            (PathBuf::from("/usr/bin/linux.uml"), Iptables::Legacy)
        }
    };
    let images = match spec.depth {
        Depth::Full if spec.nodes > 0 => images(iptables)?,
        _ => Vec::new(),
    };
    Ok(Orders {
        spec: spec.clone(),
        kernel,
        controlplane,
        images,
        lifeline,
    })
}

fn ensure_packages(wanted: &[&str]) -> Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| version(name).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let log = std::env::temp_dir().join("testbed-apt.log");
    let list = missing.join(" ");
    cache::run_long(
        &format!("installing the Debian packages {list}"),
        "under a minute",
        &log,
        &*Command::new("sh")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args([
                "-ec",
                &format!("apt-get update; apt-get install -y --no-install-recommends {list}"),
            ]),
    )
}

/// The version of an installed Debian package.
fn version(package: &str) -> Option<String> {
    let status =
        run(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Abbrev} ${Version}", package]))
            .ok()?;
    let (state, version) = status.split_once(' ')?;
    state.starts_with("ii").then(|| version.trim().to_owned())
}

/// The own kernel, built from Debian's source.
fn kernel() -> Result<PathBuf> {
    ensure_packages(KERNEL_PACKAGES)?;
    let source = version(KERNEL_SOURCE).context("Debian's kernel source is installed")?;
    let target = cache::path(
        "linux",
        &[
            KERNEL_CONFIG.as_bytes(),
            KERNEL_PATCH.as_bytes(),
            KERNEL_BUILD.as_bytes(),
            source.as_bytes(),
        ],
    );
    cache::ensure(&target, |partial| {
        let folder = scratch(partial)?;
        fs::write(folder.join("uml.config"), KERNEL_CONFIG)?;
        fs::write(folder.join("xstate.patch"), KERNEL_PATCH)?;
        fs::write(folder.join("build"), KERNEL_BUILD)?;
        let mut command = Command::new("sh");
        command
            .arg(folder.join("build"))
            .arg(partial)
            .env("TMPDIR", &folder);
        cache::run_long(
            "building the nodes' kernel",
            "7 minutes",
            &partial.with_extension("log"),
            &command,
        )?;
        Ok(fs::remove_dir_all(folder)?)
    })
}

/// etcd, Kubernetes and kubectl in one program; built if it is not there.
///
/// # Errors
/// If Go is missing or the build fails.
pub fn controlplane() -> Result<PathBuf> {
    let what = format!("building etcd and Kubernetes {KUBERNETES} as one program");
    go_program(
        "controlplane",
        ".",
        &what,
        "6 minutes and 850 MB of modules",
    )
}

/// kube-proxy alone, for its image.
fn kube_proxy() -> Result<PathBuf> {
    go_program(
        "kube-proxy",
        "./kube-proxy",
        "building kube-proxy for its image",
        "10 seconds",
    )
}

/// The web server of the image [`catalog::WEB`].
///
/// # Errors
/// If Go is missing or the build fails.
pub fn web_server() -> Result<PathBuf> {
    let go = go()?;
    let linking = "-s -w";
    let ingredients = WEB.map(|(_, text)| text.as_bytes());
    let target = cache::path("web-server", &[&[go.as_bytes()][..], &ingredients].concat());
    cache::ensure(&target, |partial| {
        let folder = scratch(partial)?;
        for (file, text) in WEB {
            fs::write(folder.join(file), text)?;
        }
        let mut command = go_build(&folder, linking, partial);
        command.arg(".");
        let log = partial.with_extension("log");
        cache::run_long("building the web server", "20 seconds", &log, &command)?;
        Ok(fs::remove_dir_all(folder)?)
    })
}

/// A program of the control plane's module.
fn go_program(name: &str, package: &str, what: &str, usual: &str) -> Result<PathBuf> {
    let go = go()?;
    let linking = format!(
        "-s -w -X k8s.io/component-base/version.gitVersion=v{KUBERNETES} \
         -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35"
    );
    let mut ingredients: Vec<&[u8]> = vec![go.as_bytes(), linking.as_bytes()];
    ingredients.extend(CONTROLPLANE.iter().map(|(_, text)| text.as_bytes()));
    let target = cache::path(name, &ingredients);
    cache::ensure(&target, |partial| {
        let folder = scratch(partial)?;
        fs::create_dir(folder.join("kube-proxy"))?;
        for (file, text) in CONTROLPLANE {
            fs::write(folder.join(file), text)?;
        }
        let mut command = go_build(&folder, &linking, partial);
        command.arg(package);
        cache::run_long(what, usual, &partial.with_extension("log"), &command)?;
        Ok(fs::remove_dir_all(folder)?)
    })
}

/// The version of Go.
fn go() -> Result<String> {
    let version = run(Command::new("go").arg("version"))
        .context("Go is needed to build Kubernetes; install Go 1.25 or newer")?;
    Ok(version.trim().to_owned())
}

/// `go build` of static programs in a folder; the packages are still to be added.
fn go_build(folder: &Path, linking: &str, out: &Path) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(folder).env("CGO_ENABLED", "0").args([
        "-ec",
        // -v prints a line for each package, on standard error.
        "exec go build -v -trimpath -buildvcs=false \"$@\" 2>&1",
        "sh",
        "-ldflags",
        linking,
        "-o",
    ]);
    command.arg(out);
    command
}

/// The images that every full node has.
fn images(iptables: Iptables) -> Result<Vec<PathBuf>> {
    let programs = HostPrograms::debian();
    let kube_proxy = kube_proxy()?;
    let web = web_server()?;
    let images = [
        ("pause", catalog::pause(&programs.busybox)),
        ("busybox", catalog::busybox(&programs.busybox)),
        ("web", catalog::web(&web, &programs.busybox)),
        (
            "kube-proxy",
            catalog::kube_proxy(&kube_proxy, &programs, iptables),
        ),
    ];
    let versions: Vec<String> = PACKAGES
        .iter()
        .chain(&["libc6"])
        .map(|package| format!("{package} {:?}", version(package)))
        .collect();
    let ingredients = format!(
        "{}\n{}\n{}\n{iptables:?}\n{IMAGES}",
        kube_proxy.display(),
        web.display(),
        versions.join("\n")
    );
    images
        .into_iter()
        .map(|(name, image)| write_image(name, &[ingredients.as_bytes()], &image))
        .collect()
}

/// The image in a file, written if it is not there.
fn write_image(name: &str, ingredients: &[&[u8]], image: &Image) -> Result<PathBuf> {
    let target = cache::path(name, ingredients).with_extension("tar");
    cache::ensure(&target, |partial| {
        image
            .write(partial)
            .with_context(|| format!("cannot write the image {}", image.reference()))?;
        Ok(())
    })
}

/// An empty folder to build `partial` in; what an interrupted build of the same left there is gone.
fn scratch(partial: &Path) -> Result<PathBuf> {
    let folder = partial.with_extension("build");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
