//! Who answers for an address on a segment: ARP and NDP, asked from a namespace of our choice.
//!
//! ```text
//! who_answers ── frame::arp_request / neighbour_solicitation ──▶ wire
//!             ◀─ frame::parse_reply ── every answer of the listening time ──
//! ```
//!
//! Asking with the kernel (`ping`, the neighbour table) would show one answer only, the last one;
//! two nodes answering for one address is exactly what has to be seen. So the questions are raw
//! frames, and listening never ends early.
//!
//! `frame`, `claim` and `mac` are pure; `segment` is the only file with a socket.

mod answers;
mod claim;
mod frame;
mod mac;
mod segment;

use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

pub use answers::{Answers, Responder};
pub use claim::{Audience, Claim, parse_claim};
pub use frame::{ArpSender, Reply, arp_request, neighbour_solicitation, parse_reply};
pub use mac::{Mac, MacError};

pub(crate) use segment::Segment;

/// How often to ask, and how long to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many times the question is asked. Several, because a busy node may drop one.
    pub rounds: u32,
    /// The time between two questions.
    pub interval: Duration,
    /// How long to go on listening after the last question.
    ///
    /// Nodes on a machine with both cores busy were seen to answer up to 100 ms late, a frozen
    /// one 3 ms after it thaws.
    pub listening: Duration,
    /// Ask with the sender address 0.0.0.0 (an RFC 5227 probe) even if the interface has an IPv4
    /// address. A host that uses `target` sees a probe as an attempt to take it over and a plain
    /// request as ordinary traffic. Has no meaning for IPv6.
    pub arp_probe: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 3,
            interval: Duration::from_millis(300),
            listening: Duration::from_millis(500),
            arp_probe: false,
        }
    }
}

/// Why the question could not be asked, or its answers not be heard.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The file that stands for the network namespace cannot be opened.
    #[error("network namespace {path} cannot be opened: {source}; is the bed up?")]
    NamespaceMissing {
        /// The file, as a rule under `/run/netns`.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file was opened and is no network namespace, or the caller may not enter it.
    #[error("network namespace {path} cannot be entered: {errno}{}", privilege_hint(*.errno))]
    NamespaceClosed {
        /// The file, as a rule under `/run/netns`.
        path: PathBuf,
        /// What the system says.
        errno: Errno,
    },
    /// The interfaces of the namespace cannot be listed.
    #[error("the network interfaces cannot be listed: {0}")]
    Interfaces(Errno),
    /// There is no such interface in the namespace.
    #[error("there is no interface {interface} here; there are: {}", .present.join(", "))]
    NoInterface {
        /// The name that was asked for.
        interface: String,
        /// The names that exist.
        present: Vec<String>,
    },
    /// ARP and NDP with MAC addresses need an Ethernet interface.
    #[error(
        "interface {interface} is no Ethernet interface, so nobody can answer ARP or NDP on it"
    )]
    NotEthernet {
        /// The interface.
        interface: String,
    },
    /// A neighbour solicitation needs an IPv6 source address, or its answers go to everybody.
    #[error(
        "interface {interface} has no IPv6 address to ask from; give it one, or bring it up to get a link-local one"
    )]
    NoSource {
        /// The interface.
        interface: String,
    },
    /// The interface is down: nothing can be sent, and silence would prove nothing.
    #[error("interface {interface} is down, so nobody can be asked there; bring it up")]
    Down {
        /// The interface.
        interface: String,
    },
    /// No raw socket on the interface.
    #[error("no raw socket on interface {interface}: {errno}{}", privilege_hint(*.errno))]
    Socket {
        /// The interface.
        interface: String,
        /// What the system says.
        errno: Errno,
    },
    /// The question could not be sent.
    #[error("the question for {target} cannot be sent on {interface}: {errno}")]
    Send {
        /// The address that was asked for.
        target: IpAddr,
        /// The interface.
        interface: String,
        /// What the system says.
        errno: Errno,
    },
    /// Answers may have been lost, so no verdict is given.
    #[error("listening for answers for {target} on {interface} failed: {errno}")]
    Receive {
        /// The address that was asked for.
        target: IpAddr,
        /// The interface.
        interface: String,
        /// What the system says.
        errno: Errno,
    },
}

fn privilege_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM | Errno::EACCES => "; run this as root",
        _ => "",
    }
}

/// Asks on the segment of `interface` who holds `target` and returns everybody who answers.
///
/// `netns` is the file of the network namespace that has the interface (`/run/netns/NAME`), `None`
/// stands for the caller's own. The namespace is entered by a thread of its own that ends with the
/// call, so the caller's thread stays where it is.
///
/// Takes `options.interval * (options.rounds - 1) + options.listening`, never less.
pub fn who_answers(
    netns: Option<&Path>,
    interface: &str,
    target: IpAddr,
    options: &Options,
) -> Result<Answers, ProbeError> {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            if let Some(path) = netns {
                enter(path)?;
            }
            ask(&Segment::open(interface)?, target, options)
        });
        match asking.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Puts the calling thread into a network namespace for good.
pub(crate) fn enter(path: &Path) -> Result<(), ProbeError> {
    let file = File::open(path).map_err(|source| ProbeError::NamespaceMissing {
        path: path.to_owned(),
        source,
    })?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| ProbeError::NamespaceClosed {
        path: path.to_owned(),
        errno,
    })
}

fn ask(segment: &Segment, target: IpAddr, options: &Options) -> Result<Answers, ProbeError> {
    let question = segment.question(target, options.arp_probe)?;
    let start = Instant::now();
    let mut answers = Answers::none(target);
    for round in 0..options.rounds {
        segment.send(&question, target)?;
        let pause = if round + 1 < options.rounds {
            options.interval
        } else {
            options.listening
        };
        segment.listen(target, Instant::now() + pause, |reply| {
            answers.record(reply.mac(), start.elapsed());
        })?;
    }
    Ok(answers)
}
