//! The command line.

mod image;
mod inspect;
mod lifecycle;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use testbed::Orders;
use testbed::protocol::Request;
use testbed::spec::{Kernel, Name, Proxy, StrictArp};

/// A real Kubernetes cluster with one Linux kernel per node, on this machine.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The bed to act on
    #[arg(long, global = true, default_value = "demo", env = "TESTBED_NAME")]
    name: Name,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  testbed up                              3 nodes, kube-proxy in IPVS mode, strictARP false
  testbed kubectl -- get pods -A
  testbed exec n1 -- ip addr show kube-ipvs0
  testbed who-answers 10.77.0.200         which nodes answer ARP for that address
  testbed kill n2; testbed boot n2        power off, power on
  testbed partition n1,client n2,n3       two halves that cannot hear each other
  testbed down";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Install and build all that beds need, and start nothing
    Setup(UpArgs),
    /// Start a bed
    Up(UpArgs),
    /// End a bed; nothing of it is left
    Down,
    /// Show the beds that are up, with their nodes
    Status,
    /// Run kubectl as the cluster's administrator
    Kubectl {
        /// kubectl's own arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run a command in a node
    Exec {
        /// The node
        node: String,
        /// Seconds to wait for its end
        #[arg(long, default_value_t = 120)]
        timeout: u64,
        /// The command; one argument alone is a shell script
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Cut the power of nodes
    Kill {
        /// The nodes
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Stop the kernel of nodes in its tracks
    Freeze {
        /// The nodes
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Let frozen nodes go on
    Thaw {
        /// The nodes
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Start nodes that are off, and wait until they are Ready again
    Boot {
        /// The nodes
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// End processes of the control plane as a crash would: kube-apiserver, etcd, kube-controller-manager, kube-scheduler
    Stop {
        /// The processes
        #[arg(required = true)]
        processes: Vec<String>,
    },
    /// Start stopped processes of the control plane, and wait until the API server answers
    Start {
        /// The processes
        #[arg(required = true)]
        processes: Vec<String>,
    },
    /// Cut a host off from all others on the segment
    Cut {
        /// The host: a node, a client, cp or router
        host: String,
    },
    /// Split the segment: hosts of one group cannot reach those of another (hosts in no group reach all)
    Partition {
        /// Groups of hosts, each separated by commas
        #[arg(required = true, num_args = 2..)]
        groups: Vec<String>,
    },
    /// Drop what one host sends to another, in this direction only
    Oneway {
        /// Whose frames are dropped
        from: String,
        /// For whom
        to: String,
    },
    /// Undo every cut, partition and oneway
    Heal,
    /// Clients on the segment: namespaces with the host's kernel
    #[command(subcommand)]
    Client(ClientVerb),
    /// Import an image (OCI layout or docker-archive tar) into every node
    LoadImage {
        /// The tar
        tar: PathBuf,
    },
    /// Write the image of one program as a tar, without a container engine. containerd, Docker, Podman and skopeo load it;
    /// unpacked, it is an OCI layout
    Image {
        /// Its name, as in localhost/web:1
        reference: String,
        /// What its containers run; a dynamic program brings its libraries
        program: PathBuf,
        /// The tar
        #[arg(long)]
        out: PathBuf,
        /// Who the program runs as, as in 65532:65532 [default: root]
        #[arg(long)]
        user: Option<String>,
        /// A label of the image
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
    },
    /// Ask by ARP or NDP who answers for an address, and list the distinct MACs with their nodes
    WhoAnswers {
        /// The address
        ip: IpAddr,
        /// The client that asks
        #[arg(long, default_value = "client")]
        from: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a log, or list the logs there are
    Logs {
        /// Which, such as kube-apiserver or n1/kubelet
        log: Option<String>,
        /// Go on printing what is added
        #[arg(short, long)]
        follow: bool,
    },
    /// Open a shell in the control plane's namespace, with kubectl and its kubeconfig ready
    Shell,
    /// The process inside a bed (started by `up`)
    #[command(hide = true)]
    Supervise {
        /// JSON
        orders: String,
    },
}

#[derive(Debug, Subcommand)]
enum ClientVerb {
    /// Add a client
    Add {
        /// Its name
        client: String,
    },
    /// Run a command in a client
    Exec {
        /// The client; every bed has one named client
        client: String,
        /// The command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct UpArgs {
    /// Number of nodes; 0 runs the control plane alone
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=i64::from(testbed::spec::MAX_NODES)))]
    nodes: u8,
    /// kube-proxy's mode
    #[arg(long, value_enum, default_value = "ipvs")]
    proxy: Proxy,
    /// What kube-proxy's configuration says about ipvs.strictARP
    #[arg(long, value_enum, default_value = "false")]
    strict_arp: StrictArp,
    /// No kubelet and no Pods: node objects made by hand, kube-proxy a plain process in each node
    #[arg(long)]
    light: bool,
    /// The nodes' kernel: built from Debian's source (7 minutes, once), or Debian's package (no nftables mode)
    #[arg(long, value_enum, default_value = "own")]
    kernel: Kernel,
    /// Memory of a node in MiB [default: 1024, light: 256]
    #[arg(long)]
    memory: Option<u32>,
}

/// Carries out what was asked.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let name = &arguments.name;
    match arguments.verb {
        Verb::Setup(args) => lifecycle::setup(name, &args),
        Verb::Up(args) => lifecycle::up(name, &args),
        Verb::Down => lifecycle::down(name),
        Verb::Status => inspect::status(),
        Verb::Kubectl { arguments } => inspect::kubectl(name, &arguments),
        Verb::Exec {
            node,
            timeout,
            command,
        } => inspect::exec(name, &node, timeout, &command),
        Verb::Kill { nodes } => lifecycle::each(name, nodes, "power cut", Request::Kill),
        Verb::Freeze { nodes } => lifecycle::each(name, nodes, "frozen", Request::Freeze),
        Verb::Thaw { nodes } => lifecycle::each(name, nodes, "thawed", Request::Thaw),
        Verb::Boot { nodes } => lifecycle::each(name, nodes, "back", Request::Boot),
        Verb::Stop { processes } => lifecycle::each(name, processes, "stopped", Request::Stop),
        Verb::Start { processes } => lifecycle::each(name, processes, "started", Request::Start),
        Verb::Cut { host } => lifecycle::cut(name, host),
        Verb::Partition { groups } => lifecycle::partition(name, &groups),
        Verb::Oneway { from, to } => lifecycle::order(name, &Request::Cut(vec![(from, to)])),
        Verb::Heal => lifecycle::order(name, &Request::Heal),
        Verb::Client(ClientVerb::Add { client }) => {
            lifecycle::order(name, &Request::ClientAdd(client))
        }
        Verb::Client(ClientVerb::Exec { client, command }) => {
            inspect::client(name, &client, &command)
        }
        Verb::LoadImage { tar } => lifecycle::load_image(name, &tar),
        Verb::Image {
            reference,
            program,
            out,
            user,
            labels,
        } => image::write(&reference, &program, &out, user, labels),
        Verb::WhoAnswers { ip, from, json } => inspect::who_answers(name, &from, ip, json),
        Verb::Logs { log, follow } => inspect::logs(name, log.as_deref(), follow),
        Verb::Shell => inspect::shell(name),
        Verb::Supervise { orders } => {
            let orders: Orders = serde_json::from_str(&orders)?;
            Ok(testbed::supervise(&orders))
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}
