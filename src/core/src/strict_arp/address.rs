//! Addresses, ports and durations by Go's rules, as kube-proxy validates them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP as `ParseIPSloppy` of k8s.io/utils reads it: leading zeros are allowed in IPv4, zones are not allowed in IPv6.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(digits(parts.next()?)?).ok()?;
    }
    parts
        .next()
        .is_none()
        .then(|| IpAddr::V4(Ipv4Addr::from(octets)))
}

fn digits(text: &str) -> Option<u32> {
    let fits = !text.is_empty() && text.len() < 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// The address of a CIDR, if it is one.
pub(super) fn cidr(text: &str) -> Option<IpAddr> {
    let (address, length) = text.split_once('/')?;
    let address = ip(address)?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (digits(length)? <= bits).then_some(address)
}

/// Host and port as `net.SplitHostPort` of Go cuts them.
pub(super) fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let colon = text.rfind(':')?;
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.contains(['[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

/// Whether this is `IP:port`, after kube-proxy has added the default port to a bare IP.
pub(super) fn is_bind_address(text: &str) -> bool {
    match split_host_port(text) {
        Some((host, port)) => {
            ip(host).is_some()
                && port
                    .parse::<i64>()
                    .is_ok_and(|port| (1..=65535).contains(&port))
        }
        None => ip(text).is_some(),
    }
}

/// The address with the port that kube-proxy adds to a bare IP.
pub(super) fn with_port(text: &str, port: u16) -> String {
    match (split_host_port(text), ip(text)) {
        (None, Some(IpAddr::V4(_))) => format!("{text}:{port}"),
        (None, Some(IpAddr::V6(_))) => format!("[{text}]:{port}"),
        _ => text.to_owned(),
    }
}

/// Nanoseconds of a duration as `time.ParseDuration` of Go reads it.
pub(super) fn duration(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !(character.is_ascii_digit() || character == '.'))?;
        let (number, tail) = rest.split_at(end);
        let (unit, tail) = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("μs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ]
        .into_iter()
        .find_map(|(name, unit)| tail.strip_prefix(name).map(|tail| (unit, tail)))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        let fraction = &fraction[..fraction.len().min(18)];
        if !fraction.is_empty() {
            let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
            total += fraction.parse::<i128>().ok()? * unit / scale;
        }
        if total > i128::from(i64::MAX) {
            return None;
        }
        rest = tail;
    }
    Some(if negative { -total } else { total })
}
