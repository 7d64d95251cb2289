//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use mooring_core::proxy_mode::ProxyMode;

use crate::duration;

mod by_hand;

pub(crate) use by_hand::{DrainArguments, MoveArguments};

const ABOUT: &str =
    "Checks and repairs how external IPs of Services are answered for on bare metal";

const LONG_ABOUT: &str = "\
Checks and repairs how external IPs of Services are answered for on bare metal.

In mode ipvs, kube-proxy puts every external IP on every node, and unless ipvs.strictARP is true each of them answers ARP \
for it: clients reach whichever node answered last. `check` tells whether that is so, `fix` sets strictARP, restarts \
kube-proxy and verifies it.

It finds the cluster as kubectl does: --kubeconfig, else KUBECONFIG, else ~/.kube/config, else the service account of the \
pod it runs in.";

const AFTER: &str = "\
Examples:
  kubectl mooring check                    is this cluster safe, and if not, what is to be done?
  kubectl mooring status                   what the operator and the agents see, on one screen
  kubectl mooring explain shop/web         why this Service has its address, or none, and what would change it
  kubectl mooring explain 10.77.0.200      who has this address, and which node answers for it
  kubectl mooring move 10.77.0.200 --to n2 move an address to another node
  kubectl mooring drain n1                 move all of them away from a node, as before maintenance
  kubectl mooring fix --dry-run            what would be changed
  kubectl mooring fix                      change it, after a question
  kubectl mooring strict-arp edit <old >new    edit the text of a configuration, nothing else

Exit status of check and fix: 0 safe, 1 not safe, 2 could not tell (or an error).";

/// The command line as a whole.
#[derive(Debug, Parser)]
#[command(name = "kubectl-mooring", bin_name = "kubectl mooring", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub connection: Connection,
    /// When to use colour; `auto` is: on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub color: Color,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Which cluster, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Path to the kubeconfig file (default: KUBECONFIG, else ~/.kube/config)
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context to use
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Of explain: the Service's namespace (default: that of the context). Else: look for kube-proxy in this namespace only
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to impersonate; may be given several times
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_group: Vec<String>,
    /// How long to wait for one answer of the API server
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    pub request_timeout: Duration,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Check(CheckArguments),
    Status(StatusArguments),
    Explain(ExplainArguments),
    Move(MoveArguments),
    Drain(DrainArguments),
    Fix(FixArguments),
    /// Work on the text of a kube-proxy configuration, without a cluster
    #[command(subcommand)]
    StrictArp(StrictArp),
    Completion(CompletionArguments),
    /// Answers kubectl's completion of plugins
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArguments),
}

/// Tell whether nodes answer ARP for external IPs that they should not answer for; changes nothing
///
/// Shows where kube-proxy runs, what its configuration says about the mode and strictARP, who keeps that configuration
/// in shape, and whether each pod started after it last changed - kube-proxy reads it only when it starts. The first line
/// is the verdict, with its reason in parentheses; the next one says what to do. Where Mooring's agents run, what they see
/// on the nodes now - live modes and ARP sysctls - is part of the verdict.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring check
  kubectl mooring check -o json | jq -r .reason

Exit status: 0 safe, 1 not safe, 2 could not tell (or an error).

Permissions: list daemonsets and pods; get the ConfigMap that kube-proxy mounts; list nodes and nodeproxystates (optional).")]
pub(crate) struct CheckArguments {
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

/// Show what the operator and the agents see: the ServiceProxy, the nodes, the pools and the addresses, in one screen
///
/// The first line says whether external IPs can be announced. The tables show the steps that lead there, each node with its
/// live mode, its ARP sysctls, how many addresses it has and what is wrong with it, the pools with what is left in them, and
/// the addresses with their Services and nodes. What is not right comes first; of many, only that is shown. Needs Mooring in
/// the cluster; `check` works without.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring status
  kubectl mooring status --all             every node and every address, however many there are
  kubectl mooring status -o json | jq -r '.addresses[] | select(.announced.status != \"True\") | .address'
  kubectl mooring status -o json | jq '.nodes[] | select(.reporting | not) | .state.metadata.name'

Exit status: 0 if the status could be shown (whatever it says; scripts ask check), 2 if not.

Permissions: get serviceproxies, list nodeproxystates (mooring.dev); list pods. For pools and addresses: list externalippools
and externalips (mooring.dev), list externalippools (crd.antrea.io); for drained nodes: list nodes; without these the rest is shown,
and what is missing is named.")]
pub(crate) struct StatusArguments {
    /// Show all nodes and all addresses in the tables
    #[arg(short, long)]
    pub all: bool,
    /// How to print; json and yaml always have everything
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Format,
}

/// Tell why a Service has its external IP, or none, and why its node; or who has an IP
///
/// Takes the same decision as the operator, on the same objects, and prints what led to it, step by step: whether the
/// Service is Mooring's, what it asks for and where it says so, why it gets this address, whether that is published, why it
/// belongs to this node, and what keeps it away from each other one. Where something is in the way it says what would change
/// it. Where the cluster is not as it was decided to be, as while the operator is down, it says that too. Changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring explain web -n shop      a Service; svc/web and service/web are the same
  kubectl mooring explain shop/web
  kubectl mooring explain 10.77.0.200      an address: who has it, until when it rests, or which pool has it
  kubectl mooring explain 2001:db8::1
  kubectl mooring explain shop/web -o json | jq -r '.reasons[] | select(.step == \"Placement\") | .message'

In json and yaml: kind, subject, state, summary, settled (the cluster is as decided), reasons [{step, reason, message}],
addresses [{address, pool, services, published, restsUntil, node, answeredBy, nodes [{node, role, rank, obstacles}]}],
remedies [{message, command}], incomplete.

Exit status: 0 explained, 1 there is no such Service, or the argument is none, 2 could not tell, or not completely (an error, or
a missing permission).

Permissions: list services, nodes, pods, daemonsets (apps), endpointslices (discovery.k8s.io), servicecidrs
(networking.k8s.io), externalippools, externalips, nodeproxystates (mooring.dev), externalippools (crd.antrea.io), and
namespaces where a pool has a namespaceSelector; get serviceproxies (mooring.dev), and ConfigMap antrea-config where Antrea
runs.")]
pub(crate) struct ExplainArguments {
    /// A Service as NAME, NAMESPACE/NAME or svc/NAME; or an IP address in any spelling
    #[arg(value_name = "SERVICE|IP")]
    pub subject: String,
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

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One object with stable keys.
    Json,
    /// The same as YAML.
    Yaml,
}

// === impl Format ===

impl Format {
    /// Whether it is read by people, who are told what happens while it does.
    pub(crate) fn is_for_people(self) -> bool {
        self == Self::Table
    }
}

/// Set ipvs.strictARP in kube-proxy's configuration, restart kube-proxy and verify
///
/// Edits one line of the key that kube-proxy mounts (every other byte stays), by a JSON patch that fails if somebody else
/// changed the text in the meantime - then it reads and decides again. Restarts the pods through their DaemonSet and waits
/// for each node. Writes nothing if nothing is needed. Refuses what it cannot prove, and ConfigMaps that something else
/// keeps in shape (Argo CD, Flux, Helm, EKS, k0s, ...), naming the setting to change there instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring fix --dry-run      show the diff and the restarts, write nothing
  kubectl mooring fix --yes          do not ask (for scripts)

Exit status, for the state at the end: 0 safe, 1 not safe, 2 could not tell (or an error).

Permissions: those of check; patch on the ConfigMap and on the DaemonSet (delete pods if its strategy is OnDelete).")]
pub(crate) struct FixArguments {
    /// Show what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Edit also a ConfigMap that something keeps in shape, and that may undo the edit
    #[arg(long)]
    pub force: bool,
    /// Set strictARP also where the configured mode does not look at it
    #[arg(long)]
    pub force_mode: bool,
    /// Give up when no node made progress for this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    pub timeout: Duration,
}

/// Verbs on text.
#[derive(Debug, Subcommand)]
pub(crate) enum StrictArp {
    Edit(EditArguments),
}

/// Read a kube-proxy configuration from stdin, write it with ipvs.strictARP: true to stdout
///
/// Changes at most one line (two where the section ipvs is missing); comments, order and quoting stay. The text comes out
/// byte for byte as it went in where nothing is needed. What kube-proxy would not start with, or what cannot be edited with
/// proof, is refused: then stdout is empty and the reason is on stderr.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl mooring strict-arp edit <config.conf >new.conf
  kubectl -n kube-system get cm kube-proxy -o jsonpath='{.data.config\\.conf}' | kubectl mooring strict-arp edit --json

Exit status: 0 the text on stdout is the one to use, 3 refused.")]
pub(crate) struct EditArguments {
    /// Write one JSON object (verdict, reason, message, line, warnings, text) instead of the text
    #[arg(long)]
    pub json: bool,
    /// Set strictARP also where the configured mode does not look at it
    #[arg(long)]
    pub force_mode: bool,
    /// The mode that nodes run now, where it is known (curl -s 127.0.0.1:10249/proxyMode)
    #[arg(long, value_name = "MODE")]
    pub live_mode: Option<ProxyMode>,
}

/// Print a completion script for a shell
///
/// The script completes kubectl-mooring. For `kubectl mooring`, kubectl itself asks a program named
/// kubectl_complete-mooring in the PATH: make one with the two lines shown below.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(kubectl-mooring completion bash)

For `kubectl mooring`, an executable file kubectl_complete-mooring in the PATH:
  #!/bin/sh
  exec kubectl-mooring __complete \"$@\"")]
pub(crate) struct CompletionArguments {
    /// The shell
    pub shell: Shell,
}

/// What kubectl passes on: the words so far, the last one being completed.
#[derive(Debug, Args)]
pub(crate) struct CompleteArguments {
    /// The words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_renders_its_help_with_examples_or_verbs() {
        fn walk(mut command: clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Usage:"), "{help}");
            if !command.is_hide_set() && command.get_subcommands().next().is_none() {
                assert!(help.contains("Examples:"), "{help}");
            }
            visit(&command);
        }
        fn visit(command: &clap::Command) {
            for verb in command.get_subcommands() {
                if !matches!(verb.get_name(), "help" | "__complete") {
                    walk(verb.clone());
                }
            }
        }
        let mut command = Cli::command();
        command.build();
        visit(&command);
    }

    #[test]
    fn connection_flags_may_stand_behind_the_verb() {
        let cli = Cli::parse_from([
            "kubectl-mooring",
            "fix",
            "--dry-run",
            "--context",
            "lab",
            "--as",
            "me",
            "--timeout",
            "90s",
        ]);
        assert_eq!(cli.connection.context.as_deref(), Some("lab"));
        assert_eq!(cli.connection.impersonate.as_deref(), Some("me"));
        assert!(matches!(cli.verb, Verb::Fix(fix) if fix.timeout == Duration::from_secs(90)));
    }
}
