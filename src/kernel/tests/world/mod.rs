//! What the suite stands on: a model in memory, or a network namespace of the thread's own. What changes the real one is
//! iproute2, a witness that shares no code with this crate.

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use mooring_kernel::{
    Address, ArpSetting, DefaultRoute, Facility, FakeHost, Host, HostRoute, InterfaceName,
    IpFamily, IpvsDestination, IpvsMatch, IpvsService, LinuxHost, NftChain, NftTable,
    ServiceTarget, Sysctl,
};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;

/// A host and the hand that changes what it looks at.
#[expect(clippy::large_enum_variant, reason = "a story has one world")]
pub(crate) enum World {
    Fake(FakeHost),
    Linux(LinuxHost),
}

/// What keeps the rules of iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Iptables {
    Nft,
    Legacy,
}

/// Tells `story` to both. Each has a thread of its own, since a namespace belongs to a thread. Without root only the
/// model is asked, and the reason is printed.
pub(crate) fn both(story_name: &str, story: fn(&mut World)) {
    story(&mut World::Fake(FakeHost::new()));
    real(story_name, story);
}

/// Tells `story` to the kernel alone, in a namespace of its own.
pub(crate) fn real(story_name: &str, story: fn(&mut World)) {
    if !Uid::effective().is_root() {
        skip(&format!(
            "{story_name}: a network namespace of its own takes root"
        ));
        return;
    }
    let told = thread::Builder::new()
        .name(story_name.to_owned())
        .spawn(move || story(&mut World::fresh_namespace()))
        .expect("world")
        .join();
    if let Err(panic) = told {
        std::panic::resume_unwind(panic);
    }
}

// === impl Iptables ===

impl Iptables {
    pub(crate) const BOTH: [Self; 2] = [Self::Nft, Self::Legacy];
}

// === impl World ===

impl World {
    fn fresh_namespace() -> Self {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("unshare");
        let nothing: Option<&str> = None;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(nothing, "/", nothing, private, nothing).expect("own mounts");
        // By default a namespace starts with the sysctls of the first one, whatever they are on this machine.
        let mut host = LinuxHost::new();
        for setting in ArpSetting::BOTH {
            host.write_sysctl(&Sysctl::all(setting), 0).expect("world");
            let lo = InterfaceName::new("lo").expect("world");
            host.write_sysctl(&Sysctl::of(&lo, setting), 0)
                .expect("world");
        }
        Self::Linux(host)
    }

    pub(crate) fn host(&mut self) -> &mut dyn Host {
        match self {
            Self::Fake(host) => host,
            Self::Linux(host) => host,
        }
    }

    /// An interface of kind ifb, the nearest to dummy among what every kernel can make.
    pub(crate) fn add_link(&mut self, name: &str) {
        match self {
            Self::Fake(host) => {
                let name = InterfaceName::new(name).expect("world");
                host.add_link(name, "ifb").expect("a new link");
            }
            Self::Linux(_) => {
                ip(["link", "add", name, "type", "ifb"]);
                self.clear_seeded(name);
            }
        }
    }

    /// `conf/default`, which seeds a new link, comes from the machine too.
    fn clear_seeded(&mut self, name: &str) {
        let name = InterfaceName::new(name).expect("world");
        for setting in ArpSetting::BOTH {
            let sysctl = Sysctl::of(&name, setting);
            self.host().write_sysctl(&sysctl, 0).expect("world");
        }
    }

    pub(crate) fn remove_link(&mut self, name: &str) {
        match self {
            Self::Fake(host) => host.remove_link(&InterfaceName::new(name).expect("world")),
            Self::Linux(_) => ip(["link", "delete", name]),
        }
    }

    /// A kernel that cannot make bridges is left alone, and the reason is printed.
    pub(crate) fn add_bridge(&mut self, name: &str) -> bool {
        match self {
            Self::Fake(host) => {
                let name = InterfaceName::new(name).expect("world");
                host.add_link(name, "bridge").expect("a new link");
            }
            Self::Linux(_) => {
                if attempt("ip", &["link", "add", name, "type", "bridge"]).is_err() {
                    skip("this kernel makes no bridges");
                    return false;
                }
            }
        }
        true
    }

    /// A bond that sends by one port at a time, the first of these, and is up. A kernel that cannot make bonds is left alone,
    /// and the reason is printed.
    pub(crate) fn add_bond(&mut self, name: &str, ports: &[&str]) -> bool {
        match self {
            Self::Fake(host) => {
                let name = InterfaceName::new(name).expect("world");
                host.add_link(name, "bond").expect("a new link");
            }
            Self::Linux(_) => {
                let words = "type bond mode active-backup miimon 100".split(' ');
                let words: Vec<&str> = ["link", "add", name].into_iter().chain(words).collect();
                if attempt("ip", &words).is_err() {
                    skip("this kernel makes no bonds");
                    return false;
                }
            }
        }
        for port in ports {
            self.make_port(port, name);
        }
        self.set_up(name, 1500);
        self.send_by(name, ports[0]);
        true
    }

    /// The port that a bond sends by from now on.
    pub(crate) fn send_by(&mut self, name: &str, port: &str) {
        match self {
            Self::Fake(host) => {
                let links = host.links().expect("world");
                let mut links = links.iter();
                let port = links.find(|link| link.name.as_os_str() == port);
                let index = port.map(|port| port.index);
                host.change_link(&InterfaceName::new(name).expect("world"), |link| {
                    link.active_port = index;
                });
            }
            Self::Linux(_) => ip(["link", "set", name, "type", "bond", "active_slave", port]),
        }
    }

    pub(crate) fn add_vlan(&mut self, name: &str, parent: &str, id: u16) {
        match self {
            Self::Fake(host) => {
                let links = host.links().expect("world");
                let mut links = links.iter();
                let parent = links.find(|link| link.name.as_os_str() == parent);
                let index = parent.map(|parent| parent.index);
                let name = InterfaceName::new(name).expect("world");
                host.add_link(name.clone(), "vlan").expect("a new link");
                host.change_link(&name, |link| link.parent = index);
            }
            Self::Linux(_) => {
                let id = id.to_string();
                run(
                    "ip",
                    &[
                        "link", "add", "link", parent, "name", name, "type", "vlan", "id", &id,
                    ],
                );
            }
        }
    }

    pub(crate) fn make_port(&mut self, name: &str, controller: &str) {
        match self {
            Self::Fake(host) => {
                let links = host.links().expect("world");
                let index = links
                    .iter()
                    .find(|link| link.name.to_string() == controller)
                    .map(|link| link.index);
                host.change_link(&InterfaceName::new(name).expect("world"), |link| {
                    link.controller = index;
                });
            }
            Self::Linux(_) => ip(["link", "set", name, "master", controller]),
        }
    }

    /// The link is that of the route.
    pub(crate) fn add_default_route(&mut self, family: IpFamily, name: &str, route: DefaultRoute) {
        match self {
            Self::Fake(host) => host.add_default_route(family, route),
            Self::Linux(_) => {
                let family = match family {
                    IpFamily::V4 => "-4",
                    IpFamily::V6 => "-6",
                };
                let metric = route.metric.to_string();
                let gateway = route.gateway.map(|gateway| gateway.to_string());
                let mut words = vec![family, "route", "add", "default"];
                words.extend(["dev", name, "metric", &metric]);
                if let Some(gateway) = &gateway {
                    words.extend(["via", gateway]);
                }
                run("ip", &words);
            }
        }
    }

    /// The link is that of the route.
    pub(crate) fn add_host_route(&mut self, name: &str, route: HostRoute) {
        match self {
            Self::Fake(host) => host.add_host_route(route),
            Self::Linux(_) => ip(["route", "add", &route.ip.to_string(), "dev", name]),
        }
    }

    /// Has the thread run a program, its arguments separated by blanks.
    pub(crate) fn change(&mut self, program: &str, arguments: &str) {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        run(program, &arguments);
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        match self {
            Self::Fake(host) => {
                let to = InterfaceName::new(to).expect("world");
                let from = InterfaceName::new(from).expect("world");
                host.change_link(&from, |link| link.name = to);
            }
            Self::Linux(_) => ip(["link", "set", from, "name", to]),
        }
    }

    /// Sets a link up, and with an ifb that is its wire too. The kernel is kept from giving it an IPv6 address.
    pub(crate) fn set_up(&mut self, name: &str, mtu: u32) {
        match self {
            Self::Fake(host) => {
                host.change_link(&InterfaceName::new(name).expect("world"), |link| {
                    link.up = true;
                    link.carrier = true;
                    link.mtu = mtu;
                })
            }
            Self::Linux(_) => {
                ip(["link", "set", name, "addrgenmode", "none"]);
                ip(["link", "set", name, "up", "mtu", &mtu.to_string()]);
            }
        }
    }

    /// Has the secondary addresses of a link leave with the first, as is the kernel's default; systemd changes it.
    pub(crate) fn let_secondaries_go(&mut self, name: &str) {
        if let Self::Linux(_) = self {
            for conf in ["all", name] {
                let file = format!("/proc/sys/net/ipv4/conf/{conf}/promote_secondaries");
                std::fs::write(file, "0").expect("world");
            }
        }
    }

    /// Puts `address` on the link of that name; `text` says the same to ip(8).
    pub(crate) fn add_address(&mut self, name: &str, address: Address, text: &str) {
        match self {
            Self::Fake(host) => host.set_address(address),
            Self::Linux(_) => {
                let arguments: Vec<&str> = ["address", "add", "dev", name]
                    .into_iter()
                    .chain(text.split(' '))
                    .collect();
                run("ip", &arguments);
            }
        }
    }

    /// Whether IPVS is there; its file in procfs is what says so for the kernel.
    pub(crate) fn has_ipvs(&self) -> bool {
        match self {
            Self::Fake(_) => false,
            Self::Linux(_) => Path::new("/proc/thread-self/net/ip_vs").exists(),
        }
    }

    /// Sees to it that IPVS is there. A kernel without it is left alone, and the reason is printed.
    pub(crate) fn load_ipvs(&mut self) -> bool {
        if let Self::Fake(host) = self {
            host.load_ipvs();
            return true;
        }
        let there = self.has_ipvs();
        if there {
            // Without one local address the kernel takes no IPv4 address for unicast, nor as a destination.
            ip(["link", "set", "lo", "up"]);
        } else {
            skip("this kernel has no IPVS");
        }
        there
    }

    /// A TCP service and what is behind it.
    pub(crate) fn add_ipvs_service(
        &mut self,
        matches: IpvsMatch,
        scheduler: &str,
        behind: Vec<IpvsDestination>,
    ) {
        match self {
            Self::Fake(host) => {
                let scheduler = scheduler.to_owned();
                host.set_ipvs_service(IpvsService { matches, scheduler }, behind);
            }
            Self::Linux(_) => {
                let IpvsMatch::Address { ip, port, .. } = matches else {
                    panic!("{matches} has no address");
                };
                let service = SocketAddr::new(ip, port).to_string();
                run("ipvsadm", &["-A", "-t", &service, "-s", scheduler]);
                for destination in behind {
                    let real = SocketAddr::new(destination.ip, destination.port).to_string();
                    let weight = destination.weight.to_string();
                    run(
                        "ipvsadm",
                        &["-a", "-t", &service, "-r", &real, "-m", "-w", &weight],
                    );
                }
            }
        }
    }

    /// What has to be said of nftables before there is a table. A kernel without it is one where nft(8) fails.
    pub(crate) fn no_nft_tables_yet(&self) -> Facility<Vec<NftTable>> {
        if let Self::Linux(_) = self {
            let listed = Command::new("nft").args(["list", "tables"]).output();
            if !listed.expect("nft").status.success() {
                skip("this kernel has no nftables");
                return Facility::Absent;
            }
        }
        Facility::Present(Vec::new())
    }

    /// A kernel whose nftables knows no such family is left alone, and the reason is printed.
    pub(crate) fn add_nft_table(&mut self, table: &NftTable) -> bool {
        if let Self::Fake(host) = self {
            host.add_nft_table(table.clone());
            return true;
        }
        let family = table.family.to_string();
        let arguments = ["add", "table", &family, &table.name];
        match attempt("nft", &arguments) {
            Ok(()) => true,
            Err(complaint) if complaint.contains("Operation not supported") => {
                skip(&format!("this kernel's nftables has no family {family}"));
                false
            }
            Err(complaint) => panic!("nft: {complaint}"),
        }
    }

    /// The table is there.
    pub(crate) fn add_nft_chain(&mut self, chain: &NftChain) {
        match self {
            Self::Fake(host) => host.add_nft_chain(chain.clone()),
            Self::Linux(_) => {
                let family = chain.table.family.to_string();
                run(
                    "nft",
                    &["add", "chain", &family, &chain.table.name, &chain.name],
                );
            }
        }
    }

    /// Has ports of Services be there as kube-proxy makes them in mode `nftables`, all of one family. A kernel without
    /// nftables is left alone, and the reason is printed.
    pub(crate) fn add_nftables_targets(
        &mut self,
        family: IpFamily,
        targets: &[ServiceTarget],
    ) -> bool {
        if let Self::Fake(host) = self {
            for target in targets {
                host.add_nftables_target(*target);
            }
            return true;
        }
        let (table, address) = match family {
            IpFamily::V4 => ("ip kube-proxy", "ipv4_addr"),
            IpFamily::V6 => ("ip6 kube-proxy", "ipv6_addr"),
        };
        let kind = format!("{address} . inet_proto . inet_service : verdict");
        let mut script = format!(
            "add table {table}\nadd chain {table} service-A\n\
             add map {table} service-ips {{ type {kind} ; }}\n"
        );
        for targets in targets.chunks(500) {
            let elements: Vec<String> = targets
                .iter()
                .map(|target| format!("{} : goto service-A", key(target)))
                .collect();
            let elements = elements.join(", ");
            script += &format!("add element {table} service-ips {{ {elements} }}\n");
        }
        self.without_nft(feed("nft", &["-f", "-"], &script))
    }

    /// The port of the Service is there.
    pub(crate) fn remove_nftables_target(&mut self, target: &ServiceTarget) {
        match self {
            Self::Fake(host) => host.remove_nftables_target(target),
            Self::Linux(_) => {
                let table = match target.family() {
                    IpFamily::V4 => "ip",
                    IpFamily::V6 => "ip6",
                };
                let key = format!("{{ {} }}", key(target));
                let words = [
                    "delete",
                    "element",
                    table,
                    "kube-proxy",
                    "service-ips",
                    &key,
                ];
                run("nft", &words);
            }
        }
    }

    /// Has ports of Services be there as kube-proxy makes them in mode `iptables`, all of one family, each in the words of
    /// kube-proxy and with a jump to a chain whose name begins with `chain`.
    pub(crate) fn add_iptables_targets(
        &mut self,
        iptables: Iptables,
        family: IpFamily,
        chain: &str,
        targets: &[ServiceTarget],
    ) -> bool {
        if let Self::Fake(host) = self {
            for target in targets {
                match iptables {
                    Iptables::Nft => host.add_iptables_target(*target),
                    Iptables::Legacy => host.add_legacy_target(*target),
                }
            }
            return true;
        }
        let mut lines = vec![format!(":{chain}A - [0:0]")];
        for ServiceTarget { ip, protocol, port } in targets {
            let name = protocol.to_string().to_lowercase();
            lines.push(format!(
                "-A KUBE-SERVICES -m comment --comment \"default/web:http loadbalancer IP\" \
                 -m {name} -p {name} -d {ip} --dport {port} -j {chain}A"
            ));
        }
        self.restore_iptables(iptables, family, &lines)
    }

    /// Lines for `iptables-restore` about the table `nat`, whose chain KUBE-SERVICES is emptied first. A kernel without what it
    /// takes is left alone, and the reason is printed.
    pub(crate) fn restore_iptables(
        &mut self,
        iptables: Iptables,
        family: IpFamily,
        lines: &[String],
    ) -> bool {
        let lines = lines.join("\n");
        let text = format!("*nat\n:KUBE-SERVICES - [0:0]\n{lines}\nCOMMIT\n");
        let program = match (iptables, family) {
            (Iptables::Nft, IpFamily::V4) => "iptables-nft-restore",
            (Iptables::Nft, IpFamily::V6) => "ip6tables-nft-restore",
            (Iptables::Legacy, IpFamily::V4) => "iptables-legacy-restore",
            (Iptables::Legacy, IpFamily::V6) => "ip6tables-legacy-restore",
        };
        let outcome = feed(program, &["--noflush"], &text);
        match iptables {
            Iptables::Nft => self.without_nft(outcome),
            Iptables::Legacy if !has_legacy(family) => {
                skip("this kernel has no legacy iptables");
                false
            }
            Iptables::Legacy => {
                outcome.expect(program);
                true
            }
        }
    }

    /// Whether it could be done: a complaint is a failure unless the kernel is one without nftables.
    fn without_nft(&self, outcome: Result<(), String>) -> bool {
        let Err(complaint) = outcome else {
            return true;
        };
        let absent = self.no_nft_tables_yet() == Facility::Absent;
        let unsupported = complaint.contains("Operation not supported");
        assert!(absent || unsupported, "{complaint}");
        if unsupported {
            skip("this kernel's nftables lacks a family or an expression");
        }
        false
    }

    /// Has kube-proxy's set of a family be there with these ports, as kube-proxy makes it in mode `ipvs`. A kernel without
    /// ipset is left alone, and the reason is printed.
    pub(crate) fn add_ipset(&mut self, family: IpFamily, targets: &[ServiceTarget]) -> bool {
        if let Self::Fake(host) = self {
            host.add_ipset(family);
            for target in targets {
                host.add_ipset_target(*target);
            }
            return true;
        }
        if attempt("ipset", &["list", "-name"]).is_err() {
            skip("this kernel has no ipset");
            return false;
        }
        let set = set_of(family);
        let family = match family {
            IpFamily::V4 => "inet",
            IpFamily::V6 => "inet6",
        };
        let mut script = format!("create {set} hash:ip,port family {family}\n");
        for target in targets {
            script += &format!("add {set} {}\n", element(target));
        }
        if let Err(complaint) = feed("ipset", &["restore"], &script) {
            panic!("ipset: {complaint}");
        }
        true
    }

    /// The port of the Service is there.
    pub(crate) fn remove_ipset_target(&mut self, target: &ServiceTarget) {
        match self {
            Self::Fake(host) => host.remove_ipset_target(target),
            Self::Linux(_) => {
                let set = set_of(target.family());
                run("ipset", &["del", set, &element(target)]);
            }
        }
    }

    /// Has legacy iptables use a table, which listing it does. A kernel without it is left alone, and the reason is
    /// printed.
    pub(crate) fn add_legacy_table(&mut self, family: IpFamily, name: &str) -> bool {
        match self {
            Self::Fake(host) => host.add_legacy_table(family, name),
            Self::Linux(_) => {
                if !has_legacy(family) {
                    skip("this kernel has no legacy iptables");
                    return false;
                }
                let program = match family {
                    IpFamily::V4 => "iptables-legacy",
                    IpFamily::V6 => "ip6tables-legacy",
                };
                run(program, &["-t", name, "-n", "-L"]);
            }
        }
        true
    }

    pub(crate) fn make_sysctls_read_only(&mut self) {
        match self {
            Self::Fake(host) => host.set_sysctls_read_only(true),
            Self::Linux(_) => {
                let (sys, nothing) = (Some("/proc/sys"), None::<&str>);
                mount(sys, "/proc/sys", nothing, MsFlags::MS_BIND, nothing).expect("bind");
                let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                mount(nothing, "/proc/sys", nothing, again, nothing).expect("read-only");
            }
        }
    }
}

/// Whether the kernel has legacy iptables, once it was asked for.
fn has_legacy(family: IpFamily) -> bool {
    let file = match family {
        IpFamily::V4 => "ip_tables_names",
        IpFamily::V6 => "ip6_tables_names",
    };
    Path::new("/proc/thread-self/net").join(file).exists()
}

/// A key of kube-proxy's map, in the words of nft(8).
fn key(target: &ServiceTarget) -> String {
    let protocol = target.protocol.to_string().to_lowercase();
    format!("{} . {protocol} . {}", target.ip, target.port)
}

fn set_of(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "KUBE-LOAD-BALANCER",
        IpFamily::V6 => "KUBE-6-LOAD-BALANCER",
    }
}

/// An element of kube-proxy's set, in the words of ipset(8).
fn element(target: &ServiceTarget) -> String {
    let protocol = target.protocol.to_string().to_lowercase();
    format!("{},{protocol}:{}", target.ip, target.port)
}

fn ip<const N: usize>(arguments: [impl AsRef<OsStr>; N]) {
    run("ip", &arguments);
}

fn run(program: &str, arguments: &[impl AsRef<OsStr>]) {
    if let Err(complaint) = attempt(program, arguments) {
        panic!("{program}: {complaint}");
    }
}

/// Runs a program; what it complains of is the error.
fn attempt(program: &str, arguments: &[impl AsRef<OsStr>]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Runs a program that reads `text`; what it complains of is the error.
fn feed(program: &str, arguments: &[&str], text: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().expect("piped");
    // It may complain before it has read everything.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("a child");
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}
