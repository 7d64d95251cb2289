//! Messages as bytes: of one length, authenticated as a whole.
//!
//! ```text
//!  0 "MOOR"   4 version 1   5 kind   6 key id   10 from   18 to   26 session   34 sequence   42 token   50 echo
//! 58 what it says, 24 bytes by kind   82 the first 16 bytes of HMAC-SHA-256 over all of it
//!
//! kind 0 Beat, 1 Greeting: nothing
//!      2 Ask:   58 subject
//!      3 Tell:  58 subject   66 milliseconds, 2^32-1 for never
//!      4 Claim: 58 address, one of IPv4 as ::ffff:A.B.C.D   74 plan   78 take-overs
//!      5 Gone:  58 subject
//!      6 HandOver: 58 address, as above   74 plan   78 0 Offer, 1 Wait, 2 Accept, 3 Release
//! ```
//!
//! Numbers are big end first, and what is not used is 0. Kinds are only ever added: who does not know one refuses it.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::bytes::{TooShort, take};

use super::keys::{Keys, TAG_BYTES};
use super::message::{Body, Header, Message, PeerId, Step, Term};

/// The length of every datagram, in bytes.
pub const LENGTH: usize = TEXT + TAG_BYTES;

/// What a message says, in bytes.
const CONTENT: usize = 24;

/// What is authenticated, in bytes.
const TEXT: usize = 58 + CONTENT;
const MAGIC: [u8; 4] = *b"MOOR";
const VERSION: u8 = 1;
const NEVER: u32 = u32::MAX;
/// By their numbers.
const STEPS: [Step; 4] = [Step::Offer, Step::Wait, Step::Accept, Step::Release];

/// Why a datagram is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejected {
    /// Not [`LENGTH`] bytes.
    Length,
    /// It does not begin as one of ours does.
    Magic,
    /// Of another version.
    Version,
    /// Made with a key that is not known here: that of another cluster, or one that was taken out of use.
    UnknownKey,
    /// The code does not fit: forged, or damaged on the way.
    Code,
    /// Of a kind that is not known here.
    Kind,
    /// A field has a value that nobody writes.
    Field,
}

// === impl Keys ===

impl Keys {
    /// The message as a datagram.
    pub fn seal(&self, message: &Message) -> [u8; LENGTH] {
        let Message { header, body } = message;
        let mut bytes = [0; LENGTH];
        let mut rest = bytes.as_mut_slice();
        let (kind, content) = write(body);
        put(&mut rest, &MAGIC);
        put(&mut rest, &[VERSION, kind]);
        put(&mut rest, &self.first().id);
        for number in [
            header.from.0,
            header.to.0,
            header.session,
            header.sequence,
            header.token,
            header.echo,
        ] {
            put(&mut rest, &number.to_be_bytes());
        }
        put(&mut rest, &content);
        let tag = self.first().tag(&bytes[..TEXT]);
        bytes[TEXT..].copy_from_slice(&tag);
        bytes
    }

    /// The message of a datagram.
    ///
    /// # Errors
    /// Why it is none. Nothing in it was believed.
    pub fn open(&self, datagram: &[u8]) -> Result<Message, Rejected> {
        let bytes: &[u8; LENGTH] = datagram.try_into().map_err(|_| Rejected::Length)?;
        let (text, tag) = bytes.split_at(TEXT);
        let mut rest = text;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(Rejected::Magic);
        }
        let [version, kind] = take(&mut rest)?;
        if version != VERSION {
            return Err(Rejected::Version);
        }
        let key = self.with_id(take(&mut rest)?);
        if !key.ok_or(Rejected::UnknownKey)?.fits(text, tag) {
            return Err(Rejected::Code);
        }
        let mut number = || take(&mut rest).map(u64::from_be_bytes);
        let header = Header {
            from: PeerId(number()?),
            to: PeerId(number()?),
            session: number()?,
            sequence: number()?,
            token: number()?,
            echo: number()?,
        };
        let body = read(kind, rest)?;
        Ok(Message { header, body })
    }
}

/// What a message says, with its kind.
fn write(body: &Body) -> (u8, [u8; CONTENT]) {
    let mut bytes = [0; CONTENT];
    let mut rest = bytes.as_mut_slice();
    let kind = match body {
        Body::Beat => 0,
        Body::Greeting => 1,
        Body::Ask { subject } => {
            put(&mut rest, &subject.0.to_be_bytes());
            2
        }
        Body::Tell { subject, heard } => {
            let heard = heard.map_or(NEVER, |heard| {
                u32::try_from(heard.as_millis()).map_or(NEVER - 1, |heard| heard.min(NEVER - 1))
            });
            put(&mut rest, &subject.0.to_be_bytes());
            put(&mut rest, &heard.to_be_bytes());
            3
        }
        Body::Claim { address, term } => {
            put(&mut rest, &octets(*address));
            put(&mut rest, &term.plan.to_be_bytes());
            put(&mut rest, &term.takeovers.to_be_bytes());
            4
        }
        Body::Gone { subject } => {
            put(&mut rest, &subject.0.to_be_bytes());
            5
        }
        Body::HandOver {
            address,
            plan,
            step,
        } => {
            let step = STEPS.iter().position(|known| known == step);
            put(&mut rest, &octets(*address));
            put(&mut rest, &plan.to_be_bytes());
            put(&mut rest, &[step.unwrap_or_default() as u8]);
            6
        }
    };
    (kind, bytes)
}

fn read(kind: u8, content: &[u8]) -> Result<Body, Rejected> {
    let mut rest = content;
    let body = match kind {
        0 => Body::Beat,
        1 => Body::Greeting,
        2 => Body::Ask {
            subject: take_peer(&mut rest)?,
        },
        3 => {
            let subject = take_peer(&mut rest)?;
            let heard = u32::from_be_bytes(take(&mut rest)?);
            Body::Tell {
                subject,
                heard: (heard != NEVER).then(|| Duration::from_millis(heard.into())),
            }
        }
        4 => Body::Claim {
            address: take_address(&mut rest)?,
            term: Term {
                plan: u32::from_be_bytes(take(&mut rest)?),
                takeovers: u32::from_be_bytes(take(&mut rest)?),
            },
        },
        5 => Body::Gone {
            subject: take_peer(&mut rest)?,
        },
        6 => Body::HandOver {
            address: take_address(&mut rest)?,
            plan: u32::from_be_bytes(take(&mut rest)?),
            step: {
                let [step] = take(&mut rest)?;
                *STEPS.get(usize::from(step)).ok_or(Rejected::Field)?
            },
        },
        _ => return Err(Rejected::Kind),
    };
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Rejected::Field);
    }
    Ok(body)
}

/// As IPv6 has it.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Takes an address.
fn take_address(rest: &mut &[u8]) -> Result<IpAddr, TooShort> {
    take::<16>(rest).map(|octets| Ipv6Addr::from(octets).to_canonical())
}

/// Takes a node.
fn take_peer(rest: &mut &[u8]) -> Result<PeerId, TooShort> {
    take(rest).map(|id| PeerId(u64::from_be_bytes(id)))
}

/// Puts the next bytes.
fn put(rest: &mut &mut [u8], field: &[u8]) {
    let (head, tail) = std::mem::take(rest).split_at_mut(field.len());
    head.copy_from_slice(field);
    *rest = tail;
}

// === impl Rejected ===

impl From<TooShort> for Rejected {
    fn from(TooShort: TooShort) -> Self {
        Self::Length
    }
}

impl Rejected {
    /// The name of the reason, as logs and metrics label it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Length => "Length",
            Self::Magic => "Magic",
            Self::Version => "Version",
            Self::UnknownKey => "UnknownKey",
            Self::Code => "Code",
            Self::Kind => "Kind",
            Self::Field => "Field",
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Error for Rejected {}

#[cfg(test)]
mod tests;
