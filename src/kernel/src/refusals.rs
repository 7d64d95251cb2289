//! What the kernels of other hosts say about datagrams that nobody takes there.

use std::io::{Error, IoSliceMut};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};

/// How many are taken at once: a kernel says so some times a second at most (`icmp_ratelimit`).
const MOST: usize = 64;

/// Has the socket remember what was said about its datagrams, until it is [taken](refusals).
///
/// # Errors
/// If the kernel cannot.
pub fn hear_refusals(socket: &UdpSocket) -> Result<(), Error> {
    setsockopt(socket, Ipv4RecvErr, &true)?;
    if socket.local_addr()?.is_ipv6() {
        setsockopt(socket, Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// The hosts on which nobody listens on the port that a datagram was for, as their kernels have said since the last call: ICMP
/// "port unreachable" (RFC 1122 section 3.2.2.1, RFC 4443 section 3.1). Whatever else was said about datagrams is dropped.
///
/// Anybody on the segment who knows both ports can say so.
pub fn refusals(socket: &UdpSocket) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for _ in 0..MOST {
        // No more than the beginning of what was sent: it is of no use.
        let mut sent = [0; 8];
        let mut about = [IoSliceMut::new(&mut sent)];
        let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = socket.as_raw_fd();
        let message = match recvmsg::<SockaddrStorage>(fd, &mut about, Some(&mut space), flags) {
            Ok(message) => message,
            Err(Errno::EINTR) => continue,
            Err(_) => break,
        };
        let Ok(mut said) = message.cmsgs() else {
            continue;
        };
        let refused = said.any(|said| match said {
            ControlMessageOwned::Ipv4RecvErr(error, _)
            | ControlMessageOwned::Ipv6RecvErr(error, _) => is_refusal(&error),
            _ => false,
        });
        if let Some(to) = message
            .address
            .filter(|_| refused)
            .and_then(|to| address(&to))
        {
            found.push(to);
        }
    }
    found
}

fn is_refusal(error: &libc::sock_extended_err) -> bool {
    let said_there = [libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6];
    said_there.contains(&error.ee_origin) && u32::try_from(libc::ECONNREFUSED) == Ok(error.ee_errno)
}

/// Where the datagram was sent. A socket of both families has IPv4 addresses mapped.
fn address(to: &SockaddrStorage) -> Option<IpAddr> {
    let of_v4 = to.as_sockaddr_in().map(|to| IpAddr::V4(to.ip()));
    let of_v6 = || {
        to.as_sockaddr_in6()
            .map(|to| IpAddr::V6(to.ip()).to_canonical())
    };
    of_v4.or_else(of_v6)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::time::{Duration, Instant};

    use super::*;

    /// What comes of one datagram to each.
    fn said(from: IpAddr, to: &[SocketAddr]) -> Vec<IpAddr> {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        hear_refusals(&socket).unwrap();
        for to in to {
            // The refusal of the one before may be told first.
            while socket.send_to(b"anybody there?", to).is_err() {}
        }
        let begin = Instant::now();
        let mut said = Vec::new();
        while begin.elapsed() < Duration::from_millis(500) && said.len() < to.len() {
            said.extend(refusals(&socket));
        }
        said
    }

    #[test]
    fn a_closed_port_is_told_and_an_open_one_is_not() {
        let (v4, v6) = (
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        );
        let closed = |ip: IpAddr| {
            let bound = UdpSocket::bind((ip, 0)).unwrap();
            bound.local_addr().unwrap()
        };
        let open = UdpSocket::bind((v4, 0)).unwrap();
        let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        assert_eq!(said(v4, &[closed(v4)]), [v4]);
        let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), closed(v4).port()));
        assert_eq!(said(any, &[mapped, closed(v6)]), [v4, v6]);
        let told = said(v4, &[open.local_addr().unwrap(), closed(v4)]);
        assert_eq!(told, [v4], "of the closed one");
    }
}
