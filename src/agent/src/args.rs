//! The command line. Every flag can be given as an environment variable, as manifests do.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

const ABOUT: &str =
    "Answers for the external IPs of this node, and reports how it handles Service traffic";

const LONG_ABOUT: &str = "\
Answers for the external IPs of this node, and reports how it handles Service traffic.

It runs on every node, in the node's own network namespace. It asks kube-proxy on the loopback, reads the kernel, and \
keeps what it found in the NodeProxyState with the node's name.

For each ExternalIP that is planned for this node it asks the wire whether somebody has the address, waits until the \
node's service proxy forwards it, and answers ARP and NDP for it: by itself where the address must not be on the uplink \
(modes ipvs and antreaProxyAll), else by putting it there, with a lifetime that only a running agent renews, and with the \
node's own ports closed on it (nftables table inet mooring). It changes nothing else on the node unless the ServiceProxy \
has spec.strictARP.sysctls: Enforce; then it raises arp_ignore and arp_announce where the node's mode needs it, and puts \
them back when that is no longer asked for.

It finds the API server as kubectl does: KUBECONFIG, else ~/.kube/config, else the service account of its Pod.";

/// What the agent is told.
#[derive(Debug, Clone, Parser)]
#[command(name = "mooring-agent", version, about = ABOUT, long_about = LONG_ABOUT)]
pub(crate) struct Args {
    /// The name of the node that it runs on (in a Pod: the field spec.nodeName)
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: String,
    /// Where /healthz, /readyz and /metrics are served. The agent shares the node's network, so this port must be free on
    /// every node; on the loopback, only the node itself can ask
    #[arg(
        long,
        env = "HEALTH_ADDRESS",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:10270"
    )]
    pub health_address: SocketAddr,
    /// The UDP port on which agents hear each other, the same on all nodes. Each agent sends 98 bytes to at most four others
    /// ten times a second; firewalls between nodes have to let that pass, or addresses of a node that dies stay silent until
    /// the API server notices
    #[arg(
        long,
        env = "PEER_PORT",
        value_name = "PORT",
        default_value_t = 10271,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub peer_port: u16,
    /// Where the agent writes down what it knows of addresses, with the keys of the agents: one that starts while the API
    /// server is away goes on from there. Without this flag it knows nothing until the API server answers
    #[arg(long, env = "STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Where the node's root directory is mounted, read-only. With it the agent can say which file under sysctl.d sets a
    /// sysctl
    #[arg(long, env = "HOST_ROOT", value_name = "DIR")]
    pub host_root: Option<PathBuf>,
    /// Where a procfs is mounted whose sysctls can be written, which those of a container are not. Only
    /// spec.strictARP.sysctls: Enforce needs it
    #[arg(long, env = "PROC", value_name = "DIR", default_value = "/proc")]
    pub proc: PathBuf,
    /// The namespace of the agent's own DaemonSet (in a Pod: the field metadata.namespace)
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,
    /// The agent's own DaemonSet. An agent that ends while this is gone or being deleted puts back the sysctls that it
    /// raised; without this flag it always leaves them to its successor
    #[arg(
        long,
        env = "DAEMONSET_NAME",
        value_name = "NAME",
        requires = "namespace"
    )]
    pub daemonset_name: Option<String>,
    /// What is logged, to standard error, as JSON: error, warn, info, debug or trace; or by module, as in
    /// info,mooring_agent=debug
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
}

impl Args {
    /// The agent's own DaemonSet, by namespace and name.
    pub(crate) fn daemon_set(&self) -> Option<(&str, &str)> {
        Some((self.namespace.as_deref()?, self.daemonset_name.as_deref()?))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_node_name_is_enough() {
        let args = Args::try_parse_from(["mooring-agent", "--node-name", "n1"]).unwrap();
        assert_eq!(args.health_address.to_string(), "127.0.0.1:10270");
        assert_eq!(args.peer_port, 10271);
        assert_eq!(args.proc, PathBuf::from("/proc"));
        assert_eq!(args.daemon_set(), None);
    }
}
