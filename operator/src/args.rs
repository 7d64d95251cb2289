//! The command line. Every flag has a default that fits the manifests, so the Deployment sets almost none.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Guards how the nodes of this cluster answer ARP for external IPs of Services.
///
/// Finds out what handles Service traffic on every node, sets ipvs.strictARP in kube-proxy's ConfigMap where that is
/// needed, restarts kube-proxy node by node and verifies the result. What it may do is said by the ServiceProxy `cluster`,
/// and what it sees is in that object's status: kubectl describe serviceproxy cluster.
#[derive(Parser, Debug, Clone)]
#[command(name = "mooring-operator", version)]
pub(crate) struct Arguments {
    /// The kubeconfig to connect with. Without it: $KUBECONFIG, or the service account of the Pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the operator, its Lease and the agents. Without it: that of the service account or kubeconfig
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The name under which this replica holds the Lease; no two replicas may share it. Without it: host name and
    /// process id
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,
    /// Where /healthz, /readyz and /metrics are served
    #[arg(long, default_value = "[::]:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The Lease by which replicas agree on the one that acts
    #[arg(long, default_value = "mooring-operator", value_name = "NAME")]
    pub lease_name: String,
    /// How long the Lease of a leader that has vanished keeps the others waiting
    #[arg(long, default_value = "6", value_parser = seconds, value_name = "SECONDS")]
    pub lease_duration: Duration,
    /// How often the leader renews the Lease; it stops acting when two thirds of the duration pass without success
    #[arg(long, default_value = "1", value_parser = seconds, value_name = "SECONDS")]
    pub lease_renew: Duration,
    /// How often the others look at the Lease, and how soon a failed renewal is tried again
    #[arg(long, default_value = "1", value_parser = seconds, value_name = "SECONDS")]
    pub lease_retry: Duration,
    /// What is logged: error, warn, info, debug or trace, or a filter such as info,mooring_operator=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub log_level: String,
}

// === impl Arguments ===

impl Arguments {
    /// What clap cannot check: flags that contradict each other.
    pub(crate) fn check(&self) -> Result<(), String> {
        let deadline = self.lease_duration * 2 / 3;
        if self.lease_renew >= deadline || self.lease_retry >= deadline {
            return Err(format!(
                "--lease-renew and --lease-retry must be shorter than two thirds of --lease-duration ({} s), or the leader \
                 would lose the Lease between two renewals",
                deadline.as_secs()
            ));
        }
        Ok(())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if (1..=3600).contains(&seconds) => Ok(Duration::from_secs(seconds.into())),
        _ => Err("must be a number of seconds from 1 to 3600".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Arguments, String> {
        let words = ["mooring-operator"].iter().chain(flags);
        let arguments = Arguments::try_parse_from(words).map_err(|error| error.to_string())?;
        arguments.check().map(|()| arguments)
    }

    #[test]
    fn every_flag_has_a_default() {
        let arguments = parse(&[]).unwrap();
        assert_eq!(arguments.listen.port(), 8080);
        assert_eq!(arguments.lease_duration, Duration::from_secs(6));
    }

    #[test]
    fn a_lease_that_cannot_be_renewed_in_time_is_refused() {
        assert!(parse(&["--lease-duration", "6", "--lease-renew", "4"]).is_err());
        assert!(parse(&["--lease-duration", "6", "--lease-renew", "3"]).is_ok());
        assert!(parse(&["--lease-duration", "0"]).is_err());
    }
}
