//! What a bed's supervisor can be asked, over its control socket: one JSON line each way.
//!
//! The socket is abstract (`@testbed/NAME`), so that it is gone with the supervisor, and its name is the lock on
//! the bed's name. After [`Reply::Output`] the bytes of standard output and standard error follow.

use serde::{Deserialize, Serialize};

use crate::plan::Host;
use crate::spec::Spec;

/// The prefix of the abstract socket names.
pub const SOCKET_PREFIX: &str = "testbed/";

/// A request to the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    /// What runs.
    Status,
    /// Run a shell command line in a node.
    Exec {
        /// The node.
        node: String,
        /// The text for `/bin/sh`.
        script: String,
        /// Seconds to wait for its end.
        timeout: u64,
    },
    /// Cut a node's power.
    Kill(String),
    /// Stop a node's kernel in its tracks.
    Freeze(String),
    /// Let a frozen kernel go on.
    Thaw(String),
    /// Start a node that is off, and wait until it is Ready again.
    Boot(String),
    /// End a process of the control plane, such as `kube-apiserver` or `etcd`, as a crash would.
    Stop(String),
    /// Start a stopped process of the control plane with the data that it had, and wait until the API server answers.
    /// An API server whose etcd is stopped does not answer: start etcd first.
    Start(String),
    /// Drop all frames between these ordered pairs of hosts.
    Cut(Vec<(String, String)>),
    /// Let all frames through again.
    Heal,
    /// Add a client namespace.
    ClientAdd(String),
    /// Import the image tar at this path (as the supervisor sees it) into every node, also after their next boot.
    LoadImage(String),
    /// End everything.
    Down,
}

/// The supervisor's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// Done, with the seconds it took.
    Took(f64),
    /// The answer to [`Request::Status`].
    Status(Box<Status>),
    /// The answer to [`Request::Exec`]; this many bytes of output follow.
    Output {
        /// Exit status.
        status: i32,
        /// Bytes of standard output.
        stdout: usize,
        /// Bytes of standard error.
        stderr: usize,
    },
    /// It could not be done, for this reason.
    Failed(String),
}

/// What runs in a bed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// What was asked for.
    pub spec: Spec,
    /// The nodes.
    pub nodes: Vec<NodeStatus>,
    /// The clients.
    pub clients: Vec<Host>,
    /// Ordered pairs between which frames are dropped.
    pub cuts: Vec<(String, String)>,
    /// Path of the program with all of Kubernetes.
    pub controlplane: String,
}

impl Status {
    /// Every host on the segment: nodes, clients, the control plane and the router.
    pub fn hosts(&self) -> impl Iterator<Item = Host> + '_ {
        self.nodes
            .iter()
            .map(|node| node.host.clone())
            .chain(self.clients.iter().cloned())
            .chain([Host::control_plane(), Host::router()])
    }
}

/// One node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name and number.
    pub host: Host,
    /// Whether it has power.
    pub power: Power,
}

/// The state of a node's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// Its kernel runs.
    On,
    /// Its kernel is stopped.
    Frozen,
    /// No process of it is left.
    Off,
}
