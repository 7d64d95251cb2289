//! Attributes of netlink: a header of length and kind, a value, and padding to four bytes.

use netlink_packet_core::NlasIterator;

const HEADER: usize = 4;

/// Hands every attribute to `take`, the flags of its kind cut off, and stops at the first that is cut short or refused.
pub(crate) fn each<'a>(
    attributes: &'a [u8],
    mut take: impl FnMut(u16, &'a [u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut rest = attributes;
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let length = usize::from(attribute.length());
        take(attribute.kind(), &rest[HEADER..length])?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}

/// Appends an attribute that is made of others.
pub(crate) fn nest(message: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    const NLA_F_NESTED: u16 = 0x8000;
    let mut attributes = Vec::new();
    fill(&mut attributes);
    put(message, NLA_F_NESTED | kind, &attributes);
}

/// Appends an attribute with its padding.
pub(crate) fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(((HEADER + value.len()) as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}
