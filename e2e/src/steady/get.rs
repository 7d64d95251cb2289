//! One request over one connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::report::Cause;

/// Longer than any answer of the bed's web server.
const MAX_ANSWER: u64 = 4_096;

/// Those that are nobody's by name.
const PORTS: RangeInclusive<u16> = 10_000..=60_999;

/// The name of the Pod that answers, by `deadline`.
pub(super) fn get(target: SocketAddr, deadline: Instant) -> Result<String, Cause> {
    let connected = connect(target, rest(deadline)?);
    let mut stream = connected.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => Cause::NoConnection,
        _ => cause(&error),
    })?;
    let answer = ask(&mut stream, target, deadline)?;
    body(&answer).map(str::to_owned).ok_or_else(|| {
        let line = answer.lines().next().unwrap_or_default();
        Cause::BadAnswer(line.trim().to_owned())
    })
}

fn connect(target: SocketAddr, time_out: Duration) -> io::Result<TcpStream> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    loop {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
        // Those of a while ago may linger.
        socket.set_reuse_address(true)?;
        let bound = socket.bind(&SocketAddr::new(any, next_port()).into());
        match bound.and_then(|()| socket.connect_timeout(&target.into(), time_out)) {
            // A port that something else has, of which there are few.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable
                ) => {}
            connected => return connected.map(|()| socket.into()),
        }
    }
}

/// The next port after the last one, whatever the targets. Left to the kernel, ports come again after a quarter of a minute at
/// 200 connections a second. What knows the former connection, as a node does to which an address comes back within two
/// minutes, takes packets for that one's; so does an endpoint that has led connections to several addresses, as a node sends
/// them to it from its own address and, where it can, from the same port. Hosts keep them from that for minutes (TIME-WAIT,
/// RFC 9293 section 3.6.1).
fn next_port() -> u16 {
    static LAST: Mutex<u16> = Mutex::new(*PORTS.end());
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = match *last < *PORTS.end() {
        true => *last + 1,
        false => *PORTS.start(),
    };
    *last
}

fn ask(stream: &mut TcpStream, target: SocketAddr, deadline: Instant) -> Result<String, Cause> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Cause::NoAnswer,
        _ => cause(&error),
    };
    let request = format!("GET / HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream
        .set_write_timeout(Some(rest(deadline)?))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .map_err(failed)?;
    stream
        .set_read_timeout(Some(rest(deadline)?))
        .and_then(|()| stream.take(MAX_ANSWER).read_to_string(&mut answer))
        .map_err(failed)?;
    Ok(answer)
}

fn rest(deadline: Instant) -> Result<Duration, Cause> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|rest| !rest.is_zero())
        .ok_or(Cause::NoAnswer)
}

fn cause(error: &io::Error) -> Cause {
    match error.kind() {
        ErrorKind::ConnectionRefused => Cause::Refused,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Cause::Reset,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Cause::Unreachable,
        _ => Cause::Other(error.to_string()),
    }
}

/// What a successful answer says.
fn body(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    let body = body.trim();
    (status == "200" && !body.is_empty()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_is_one() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nDate: x\r\n\r\nweb-1\n", Some("web-1")),
            ("HTTP/1.0 200 OK\r\n\r\nweb-1", Some("web-1")),
            ("HTTP/1.1 404 Not Found\r\n\r\nweb-1\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("", None),
        ];
        for (answer, expected) in cases {
            assert_eq!(body(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn no_port_comes_again_before_all_others_did() {
        // Other tests may take some meanwhile.
        let taken: Vec<u16> = (0..50_000).map(|_| next_port()).collect();
        let ports: std::collections::BTreeSet<u16> = taken.iter().copied().collect();
        assert_eq!(ports.len(), taken.len());
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }

    #[test]
    fn a_port_that_nobody_listens_on_refuses() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        assert_eq!(get(unused, deadline), Err(Cause::Refused));
        assert_eq!(get(unused, Instant::now()), Err(Cause::NoAnswer));
    }
}
