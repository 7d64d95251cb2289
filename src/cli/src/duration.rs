//! Spans of time as kubectl writes them.

use std::time::Duration;

/// Reads `90s`, `5m`, `1h30m` or a bare number of seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no span of time; write it like 90s, 5m or 1h30m");
    let mut seconds = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let factor = match rest.chars().next() {
            Some('h') => 3_600,
            Some('m') => 60,
            Some('s') => 1,
            None if digits == text.len() => 1,
            _ => return Err(wrong()),
        };
        rest = rest.get(1..).unwrap_or_default();
        let part = number.checked_mul(factor).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spans_are_read_as_kubectl_writes_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("1h30m", 5_400),
            ("7", 7),
            ("0", 0),
        ] {
            assert_eq!(
                parse(text).map(|span| span.as_secs()),
                Ok(seconds),
                "{text}"
            );
        }
        for text in [
            "",
            "m",
            "5 m",
            "5x",
            "1m5",
            "-1s",
            "99999999999999999999s",
            "5ä",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
