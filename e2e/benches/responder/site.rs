//! Where the agent runs: a node of the test bed, or a network namespace that stands for one.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use testbed::Bed;
use testbed::asker::Asker;
use testbed::protocol::Request;

use crate::floor;
use crate::programmed::{self, Programmed};

/// Which kernel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// One of its own.
    Node,
    /// This machine's.
    Namespace,
}

/// A place on the segment, with another address of it: those to ask for are in its subnet.
pub(crate) struct Site<'a> {
    bed: &'a Bed,
    place: Place,
    agent: Option<Child>,
}

/// The client's address in the subnet of the addresses to ask for.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 101);
/// The site's.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 11);
/// The namespace.
const NAMESPACE: &str = "n1";
/// Where the agent writes down what it knows, as in its Pod.
const STATE: &str = "/run/mooring-known";

// === impl Site ===

impl<'a> Site<'a> {
    pub(crate) fn new(bed: &'a Bed, place: Place) -> Self {
        if place == Place::Namespace {
            bed.order(&Request::ClientAdd(NAMESPACE.to_owned()))
                .unwrap();
        }
        let site = Self {
            bed,
            place,
            agent: None,
        };
        site.run(&format!("ip addr add {OWN}/16 dev eth0"));
        let add = format!("ip addr add {CLIENT}/16 dev eth0");
        let status = bed.command("client", "sh").args(["-c", &add]).status();
        assert!(status.unwrap().success(), "{add}");
        site
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Its number on the segment.
    pub(crate) fn address(&self) -> Ipv4Addr {
        let mut hosts = self.bed.status().unwrap().hosts().collect::<Vec<_>>();
        hosts.retain(|host| host.name == NAMESPACE);
        hosts[0].ipv4()
    }

    /// Runs a shell script there.
    fn run(&self, script: &str) -> String {
        match self.place {
            Place::Node => at_home(|| self.bed.run_on(NAMESPACE, script).unwrap()),
            Place::Namespace => {
                let mut command = self.bed.command(NAMESPACE, "sh");
                let output = command.args(["-ec", script]).output().unwrap();
                assert!(output.status.success(), "{script}: {output:?}");
                String::from_utf8(output.stdout).unwrap()
            }
        }
    }

    /// Puts addresses on the uplink, for which the kernel answers from then on.
    pub(crate) fn put_on_uplink(&self, addresses: &[Ipv4Addr]) {
        let mut lines = String::new();
        for address in addresses {
            writeln!(lines, "addr add {address}/32 dev eth0").unwrap();
        }
        self.run(&format!("ip -batch - <<END\n{lines}END\n"));
    }

    /// Takes them off.
    pub(crate) fn clear_uplink(&self) {
        self.run("ip addr flush dev eth0 to 10.99.128.0/17");
    }

    /// Adds a link, the other end of which is there too.
    pub(crate) fn add_link(&self, name: &str) {
        self.run(&format!("ip link add {name} type veth peer name {name}_"));
    }

    /// Starts the agent there.
    pub(crate) fn start_agent(&mut self, program: &Path) {
        let program = program.canonicalize().unwrap();
        match self.place {
            Place::Node => {
                let kubeconfig = self
                    .bed
                    .output("sh", &["-c", "cat \"$KUBECONFIG\""])
                    .unwrap();
                self.run(&format!(
                    "cat >/tb/agent.kubeconfig <<'END'\n{}\nEND\n
                     mkdir -p {STATE}
                     STATE_DIR={STATE} KUBECONFIG=/tb/agent.kubeconfig NODE_NAME=n1 setsid {} >/tb/mooring-agent.log 2>&1 </dev/null &",
                    String::from_utf8(kubeconfig.stdout).unwrap(),
                    program.display()
                ));
            }
            Place::Namespace => {
                let log = File::create(self.log_file()).unwrap();
                std::fs::create_dir_all(self.bed.see(Path::new(STATE))).unwrap();
                let child = self
                    .bed
                    .command(NAMESPACE, program)
                    .env("NODE_NAME", "n1")
                    .env("STATE_DIR", STATE)
                    .stdin(Stdio::null())
                    .stdout(log.try_clone().unwrap())
                    .stderr(log)
                    .spawn();
                self.agent = Some(child.unwrap());
            }
        }
    }

    /// SIGKILL: nothing stands in for it.
    pub(crate) fn kill_agent(&mut self) {
        let pid = self.pid();
        match (self.place, self.agent.take()) {
            (Place::Node, _) => _ = self.run(&format!("kill -9 {pid}")),
            (Place::Namespace, Some(mut wrapper)) => {
                let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
                wrapper.wait().unwrap();
            }
            (Place::Namespace, None) => {}
        }
    }

    /// Starts the least program that answers.
    pub(crate) fn start_floor(&self) {
        let program = std::env::current_exe().unwrap();
        self.run(&format!(
            "setsid {} {} >/dev/null 2>&1 </dev/null & echo $! >/run/floor.pid",
            program.display(),
            floor::ARGUMENT,
        ));
    }

    /// Ends it.
    pub(crate) fn kill_floor(&self) {
        self.run("kill -9 $(cat /run/floor.pid)");
    }

    /// Its memory in MiB: all that is resident, and what of it is no file's.
    pub(crate) fn memory(&self) -> [f64; 2] {
        let status = self.read("status");
        ["VmRSS:", "RssAnon:"].map(|field| {
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            let kibibytes = line.split_whitespace().nth(1).unwrap();
            kibibytes.parse::<f64>().unwrap() / 1024.0
        })
    }

    /// Time of the CPU that it used, in seconds. The clock's tick is 1/100 s on Linux.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = self.read("stat");
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..]
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    /// A file of the agent's procfs.
    fn read(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid());
        match self.place {
            Place::Node => self.run(&format!("cat {path}")),
            Place::Namespace => std::fs::read_to_string(path).unwrap(),
        }
    }

    fn pid(&self) -> u32 {
        let pids = match (self.place, &self.agent) {
            (Place::Namespace, Some(wrapper)) => {
                let wrapper = wrapper.id();
                std::fs::read_to_string(format!("/proc/{wrapper}/task/{wrapper}/children")).unwrap()
            }
            _ => self.run("busybox pidof mooring-agent"),
        };
        pids.trim().parse().unwrap()
    }

    /// The end of what the agent said.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("--- the log of the agent\n{tail}\n")
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.bed.see(Path::new(match self.place {
            Place::Node => "/run/testbed/nodes/n1/mooring-agent.log",
            Place::Namespace => "/run/mooring-agent.log",
        }))
    }

    /// One more who asks.
    pub(crate) fn asker(&self) -> Asker {
        Asker::open(&self.bed.see(Path::new("/run/netns/client")), "eth0").unwrap()
    }

    /// Looks for an address in the node's IPVS from now on, until it is there with a destination.
    pub(crate) fn look_for(&self, target: IpAddr) -> JoinHandle<Programmed> {
        let netns = File::open(self.bed.see(Path::new("/run/netns/client"))).unwrap();
        let opening = std::thread::spawn(move || {
            setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
            UdpSocket::bind((CLIENT, 0)).unwrap()
        });
        let socket = opening.join().unwrap();
        let port = socket.local_addr().unwrap().port();
        let program = std::env::current_exe().unwrap();
        self.run(&format!(
            "setsid {} {} {target} {CLIENT}:{port} >/tb/look.log 2>&1 </dev/null &",
            program.display(),
            programmed::ARGUMENT,
        ));
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let hear = move |socket: &UdpSocket| {
            let mut text = [0; 64];
            let length = socket.recv(&mut text).unwrap();
            let at = Instant::now();
            (String::from_utf8_lossy(&text[..length]).into_owned(), at)
        };
        assert_eq!(hear(&socket).0, programmed::READY);
        std::thread::spawn(move || {
            let (micros, at) = hear(&socket);
            let period = Duration::from_micros(micros.parse().unwrap());
            Programmed { at, period }
        })
    }
}

/// Does something in the network namespace of this program, whichever the calling thread is in: a bed's socket is there.
fn at_home<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            setns(
                File::open("/proc/self/ns/net").unwrap(),
                CloneFlags::CLONE_NEWNET,
            )
            .unwrap();
            act()
        });
        acting.join().unwrap()
    })
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        // In a namespace it ends with the bed's processes.
        if let Some(mut wrapper) = self.agent.take() {
            let _ = wrapper.kill();
            let _ = wrapper.wait();
        }
    }
}
