//! One request over one connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::report::Cause;

/// Longer than any answer of the bed's web server.
const MAX_ANSWER: u64 = 4_096;

/// The name of the Pod that answers, by `deadline`.
pub(super) fn get(target: SocketAddr, deadline: Instant) -> Result<String, Cause> {
    let mut stream = TcpStream::connect_timeout(&target, rest(deadline)?).map_err(|error| {
        match error.kind() {
            ErrorKind::TimedOut => Cause::NoConnection,
            _ => cause(&error),
        }
    })?;
    let answer = ask(&mut stream, target, deadline)?;
    body(&answer).map(str::to_owned).ok_or_else(|| {
        let line = answer.lines().next().unwrap_or_default();
        Cause::BadAnswer(line.trim().to_owned())
    })
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
    fn a_port_that_nobody_listens_on_refuses() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        assert_eq!(get(unused, deadline), Err(Cause::Refused));
        assert_eq!(get(unused, Instant::now()), Err(Cause::NoAnswer));
    }
}
