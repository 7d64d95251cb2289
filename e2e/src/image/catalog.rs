//! The images that a bed's nodes load: made of programs of this machine, as there is no registry.

use std::path::{Path, PathBuf};

use super::Image;

/// containerd's sandbox image.
pub const PAUSE: &str = "localhost/pause:1";
/// A shell with the usual small programs.
pub const BUSYBOX: &str = "localhost/busybox:1";
/// A web server that tells which Pod answered.
pub const WEB: &str = "localhost/web:1";
/// kube-proxy, under the name that kubeadm's DaemonSet has for it.
pub const KUBE_PROXY: &str = "registry.k8s.io/kube-proxy:v1.35.4";

/// MetalLB's controller, under the name that its Deployment has for it.
pub const METALLB_CONTROLLER: &str = "quay.io/metallb/controller:v0.15.2";
/// MetalLB's speaker, under the name that its DaemonSet has for it.
pub const METALLB_SPEAKER: &str = "quay.io/metallb/speaker:v0.15.2";

/// The port that [`web`] listens on unless its environment variable `PORT` names another.
pub const WEB_PORT: u16 = 8080;

/// Where this machine has the programs that images are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPrograms {
    /// busybox, best the static one.
    pub busybox: PathBuf,
    /// iptables and its family over nf_tables, in one program.
    pub xtables_nft: PathBuf,
    /// iptables and its family over the older kernel interface, in one program.
    pub xtables_legacy: PathBuf,
    /// The directory of iptables' matches and targets, which it loads from the same path.
    pub xtables_modules: PathBuf,
    /// ipset, for kube-proxy in ipvs mode.
    pub ipset: PathBuf,
    /// nft, for kube-proxy in nftables mode.
    pub nft: PathBuf,
    /// conntrack, to look at connections.
    pub conntrack: PathBuf,
    /// kmod, which is modprobe and lsmod.
    pub kmod: PathBuf,
}

impl HostPrograms {
    /// The paths of Debian's packages busybox-static, iptables, ipset, nftables, conntrack and
    /// kmod.
    pub fn debian() -> Self {
        let arch = std::env::consts::ARCH;
        Self {
            busybox: "/bin/busybox".into(),
            xtables_nft: "/usr/sbin/xtables-nft-multi".into(),
            xtables_legacy: "/usr/sbin/xtables-legacy-multi".into(),
            xtables_modules: format!("/usr/lib/{arch}-linux-gnu/xtables").into(),
            ipset: "/usr/sbin/ipset".into(),
            nft: "/usr/sbin/nft".into(),
            conntrack: "/usr/sbin/conntrack".into(),
            kmod: "/bin/kmod".into(),
        }
    }
}

/// Which kernel interface the command `iptables` of an image uses.
///
/// Both work on a kernel with both; Debian's own `linux.uml` has the older one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Iptables {
    /// nf_tables, as kube-proxy's own images choose on any recent node.
    #[default]
    Nft,
    /// The interface before nf_tables.
    Legacy,
}

/// Sleeps until it is told to stop, and reaps the orphans of its Pod.
///
/// As process 1 it gets only the signals that it handles, so a plain `sleep` would not stop. If
/// sleeping fails it ends, rather than spin.
pub fn pause(busybox: &Path) -> Image {
    with_busybox(Image::builder(PAUSE), busybox).entrypoint([
        "/bin/busybox",
        "sh",
        "-c",
        "trap 'exit 0' TERM INT; while /bin/busybox sleep 86400 & wait $!; do :; done",
    ])
}

/// A shell with the usual small programs; its arguments are the shell's.
pub fn busybox(busybox: &Path) -> Image {
    let image = with_busybox(Image::builder(BUSYBOX), busybox);
    links(image, APPLETS, "/bin", "busybox")
        .dir("/tmp")
        .entrypoint(["/bin/sh"])
}

/// Answers every `GET /` with its host name, which is the Pod's name. `program` is the static server of `e2e/web`; the
/// usual small programs are there as well.
pub fn web(program: &Path, busybox: &Path) -> Image {
    let image = with_busybox(Image::builder(WEB), busybox);
    links(image, APPLETS, "/bin", "busybox")
        .dir("/tmp")
        .file(program, "/web")
        .env("PORT", WEB_PORT.to_string())
        .entrypoint(["/web"])
}

/// kube-proxy with the programs that it calls in each of its modes.
///
/// `program` is kube-proxy, or one that becomes it by its name. `/lib/modules` is left to
/// the node's, which kubeadm's DaemonSet mounts.
pub fn kube_proxy(program: &Path, programs: &HostPrograms, iptables: Iptables) -> Image {
    let modules = programs.xtables_modules.to_string_lossy();
    let image = Image::builder(KUBE_PROXY)
        .program(program, "/usr/local/bin/kube-proxy")
        .program(&programs.xtables_nft, "/usr/sbin/xtables-nft-multi")
        .program(&programs.xtables_legacy, "/usr/sbin/xtables-legacy-multi")
        .programs_in(&programs.xtables_modules, modules)
        .program(&programs.ipset, "/usr/sbin/ipset")
        .program(&programs.nft, "/usr/sbin/nft")
        .program(&programs.conntrack, "/usr/sbin/conntrack")
        .program(&programs.kmod, "/usr/sbin/modprobe")
        // Where the kernel, and therefore iptables, looks for it.
        .symlink("../usr/sbin/modprobe", "/sbin/modprobe")
        .text("/etc/protocols", PROTOCOLS, 0o644)
        .text("/etc/services", SERVICES, 0o644)
        .text("/etc/nsswitch.conf", NSSWITCH, 0o644)
        .dir("/lib/modules")
        .dir("/run")
        .dir("/tmp")
        .entrypoint(["/usr/local/bin/kube-proxy"]);
    let image = with_busybox(image, &programs.busybox);
    let image = links(image, APPLETS, "/bin", "busybox");
    iptables_family(image, iptables)
}

/// MetalLB's controller, which its manifests start without naming a command.
pub fn metallb_controller(program: &Path) -> Image {
    alone(METALLB_CONTROLLER, program, "/controller")
}

/// MetalLB's speaker, which its manifests start without naming a command.
pub fn metallb_speaker(program: &Path) -> Image {
    alone(METALLB_SPEAKER, program, "/speaker")
}

/// One static program and nothing else.
fn alone(reference: &str, program: &Path, path: &str) -> Image {
    Image::builder(reference)
        .file(program, path)
        .entrypoint([path])
}

/// Every name under which the two iptables programs are called, with the plain ones
/// (`iptables-save`) meaning the chosen one.
fn iptables_family(mut image: Image, chosen: Iptables) -> Image {
    let plain = match chosen {
        Iptables::Nft => "xtables-nft-multi",
        Iptables::Legacy => "xtables-legacy-multi",
    };
    for family in ["iptables", "ip6tables"] {
        for verb in ["", "-save", "-restore"] {
            image = image
                .symlink(plain, format!("/usr/sbin/{family}{verb}"))
                .symlink("xtables-nft-multi", format!("/usr/sbin/{family}-nft{verb}"))
                .symlink(
                    "xtables-legacy-multi",
                    format!("/usr/sbin/{family}-legacy{verb}"),
                );
        }
    }
    image
}

fn with_busybox(image: Image, busybox: &Path) -> Image {
    image.program(busybox, "/bin/busybox")
}

fn links(image: Image, names: &[&str], dir: &str, target: &str) -> Image {
    names.iter().fold(image, |image, name| {
        image.symlink(target, format!("{dir}/{name}"))
    })
}

/// The applets that people type into `kubectl exec`.
const APPLETS: &[&str] = &[
    "arping",
    "awk",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "df",
    "env",
    "find",
    "grep",
    "head",
    "hostname",
    "httpd",
    "id",
    "ip",
    "kill",
    "ls",
    "mkdir",
    "mount",
    "nc",
    "netstat",
    "nslookup",
    "ping",
    "printf",
    "ps",
    "rm",
    "sed",
    "sh",
    "sleep",
    "sort",
    "tail",
    "telnet",
    "test",
    "top",
    "touch",
    "tr",
    "traceroute",
    "true",
    "umount",
    "uname",
    "vi",
    "wc",
    "wget",
    "xargs",
];

/// ipset reads `tcp:80` with it: without it no entry can be added, and kube-proxy in ipvs mode
/// refuses every connection to an external address.
const PROTOCOLS: &str = "\
ip	0	IP
icmp	1	ICMP
igmp	2	IGMP
tcp	6	TCP
udp	17	UDP
dccp	33	DCCP
gre	47	GRE
esp	50	IPSEC-ESP
ah	51	IPSEC-AH
ipv6-icmp	58	IPv6-ICMP
vrrp	112	VRRP
sctp	132	SCTP
udplite	136	UDPLite
";

const SERVICES: &str = "\
ssh	22/tcp
domain	53/tcp
domain	53/udp
http	80/tcp
ntp	123/udp
https	443/tcp
";

const NSSWITCH: &str = "\
hosts:	files dns
networks:	files
protocols:	files
services:	files
";
