//! The verbs that move addresses by hand.

use std::time::Duration;

use clap::Args;

use super::Format;
use crate::duration;

/// Move an external IP to another node, and wait until that node answers for it
///
/// Asks the operator's own decision whether the node can have the address; if not, all that keeps it away is named, and nothing
/// is written. Else it plans the address there: that node takes it, the former one lets go and becomes the first of those that
/// take it over should the new one fail. It stays there until something speaks against that; in a pool with revertive: true it
/// would go back, so that it can only be moved to its first choice there. If somebody changes it at the same time, all is
/// decided again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring move 10.77.0.200 --to n2
  kubectl mooring move 2001:db8::1 --to n2 --timeout 5m
  kubectl mooring move 10.77.0.200 --to n2 --no-wait
  kubectl mooring move 10.77.0.200 --to n2 -o json | jq -r .outcome

In json and yaml: address, services, from, to, outcome (Moved, AlreadyThere, Planned, Refused, NotTaken, Overruled), reason, message,
obstacles [{reason, message}], milliseconds.

Exit status: 0 the node has it (with --no-wait: shall have it), 1 it cannot have it, and nothing was written, 2 it has not taken it
in time, or an error.

Permissions: those of explain; get and patch externalips (mooring.dev).")]
pub(crate) struct MoveArguments {
    /// The address, in any spelling; or the name of its ExternalIP
    #[arg(value_name = "IP")]
    pub address: String,
    /// The node that shall have it
    #[arg(long, value_name = "NODE")]
    pub to: String,
    /// Do not wait until the node answers for it
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for that
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub timeout: Duration,
    /// How to print
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Format,
}

/// Move all external IPs away from a node, as before maintenance, and wait until they have arrived elsewhere
///
/// Sets the annotation mooring.dev/drain on the node; its value says since when. The operator then plans the addresses of the node
/// for others, and gives it no new ones until --undo. Each address is printed as it arrives elsewhere. One that no other node can
/// have stays where it works, and what keeps it away from the others is named; it leaves as soon as one of them can have it.
/// Pods stay: kubectl drain evicts those.
///
/// After --undo the node can have addresses again. Those that left it stay where they are, but for those of pools with
/// revertive: true.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring drain n1 && kubectl drain n1 --ignore-daemonsets
  kubectl mooring drain n1 --undo
  kubectl mooring drain n1 --timeout 5m
  kubectl mooring drain n1 -o json | jq -r '.addresses[] | select(.outcome == \"Stays\") | .address'

In json and yaml: node, since, outcome (Empty, SomeStay, NotInTime, Requested, Undone, NotDrained), message, addresses [{address,
services, outcome (Moved, Gone, Stays, Waits), to, message, nodes [{node, obstacles [{reason, message}]}]}], milliseconds,
incomplete.

Exit status: 0 the node has no address any more (with --no-wait, --undo: it is written), 1 some stay, as no other node can have
them, 2 some have not arrived elsewhere in time, or an error.

Permissions: those of explain; patch nodes.")]
pub(crate) struct DrainArguments {
    /// The node
    pub node: String,
    /// Let the node have addresses again
    #[arg(long, conflicts_with_all = ["no_wait", "timeout"])]
    pub undo: bool,
    /// Do not wait until the addresses have arrived elsewhere
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for that
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub timeout: Duration,
    /// How to print
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Format,
}
