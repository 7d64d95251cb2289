//! Requests from outside the cluster.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use testbed::steady::{Options, Report, SteadyClient};

use crate::mooring::Mooring;

/// No story asks for longer.
const LIMIT: Duration = Duration::from_secs(600);

/// What becomes of a connection that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    Opened,
    Refused,
    /// Nothing came back for three seconds.
    Lost,
}

impl Mooring<'_> {
    /// Asks the web server at an address so many times a second, until it is told to end.
    #[track_caller]
    pub(crate) fn ask_steadily(&self, address: IpAddr, rate: u32) -> SteadyClient {
        let options = Options::per_second(rate, LIMIT);
        let target = SocketAddr::new(address, 80);
        self.bed.ask_steadily("client", target, options).unwrap()
    }

    /// So many requests, of which none may fail.
    #[track_caller]
    pub(crate) fn expect_answers(&self, address: IpAddr, requests: u32) {
        let options = Options::per_second(100, LIMIT).in_all(requests);
        let target = SocketAddr::new(address, 80);
        let client = self.bed.ask_steadily("client", target, options).unwrap();
        self.expect_none_failed(address, &client.finish());
    }

    /// Prints a report, and fails if a request did.
    #[track_caller]
    pub(crate) fn expect_none_failed(&self, address: IpAddr, report: &Report) {
        println!("  {address}: {report}");
        assert!(
            report.requests() > 0 && report.failures().is_empty(),
            "{address}: {report}\n{}",
            self.report()
        );
    }

    /// Waits until the web server at an address answers a request.
    #[track_caller]
    pub(crate) fn wait_until_reached(&self, address: IpAddr) {
        self.wait_for(&format!("{address} is reached"), || {
            let options = Options::per_second(1, LIMIT).in_all(1);
            let target = SocketAddr::new(address, 80);
            let client = self.bed.ask_steadily("client", target, options).unwrap();
            client.finish().failures().is_empty().then_some(())
        });
    }

    /// Tries to connect, from outside the cluster, by TCP.
    #[track_caller]
    pub(crate) fn try_port(&self, address: IpAddr, port: u16) -> Tried {
        let mut bash = self.bed.command("client", "timeout");
        let connect = format!(": < /dev/tcp/{address}/{port}");
        let output = bash.args(["3", "bash", "-c", &connect]).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Tried::Opened,
            Some(124) => Tried::Lost,
            _ if complaint.contains("Connection refused") => Tried::Refused,
            _ => panic!("{address} port {port}: {output:?}"),
        }
    }

    /// Whether an echo request from outside the cluster is answered within a second.
    pub(crate) fn pings(&self, address: IpAddr) -> bool {
        let mut ping = self.bed.command("client", "ping");
        let output = ping.args(["-c1", "-W1", &address.to_string()]).output();
        output.unwrap().status.success()
    }

    /// `ip ARGUMENTS` in the namespace of a client.
    #[track_caller]
    pub(crate) fn ip_of(&self, client: &str, arguments: &str) {
        let mut ip = self.bed.command(client, "ip");
        let output = ip.args(arguments.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "ip {arguments}: {output:?}");
    }
}
