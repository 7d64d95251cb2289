//! The keys that datagrams are authenticated with.

use std::error::Error;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The length of a key, in bytes: as long as the hash (RFC 2104 section 3).
const KEY_BYTES: usize = 32;

/// The part of the code that is sent, in bytes: half of it (RFC 2104 section 5).
pub(super) const TAG_BYTES: usize = 16;

/// A shared secret of 32 bytes. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    secret: [u8; KEY_BYTES],
    /// The first four bytes of SHA-256 over the secret: which key a datagram was made with.
    pub(super) id: [u8; 4],
}

/// The keys of a cluster: all that are believed, and the one that is written with.
///
/// A rotation takes three steps, each of which every agent has taken before the next begins: the new key is appended, it
/// is made the first, the old one goes. In each of them any two agents understand each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    first: Key,
    others: Vec<Key>,
}

/// Why a list of keys cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// There is none.
    None,
    /// One is not 32 bytes long.
    Length {
        /// Its place, from 0.
        index: usize,
        /// Its length, in bytes.
        bytes: usize,
    },
    /// All its bytes are the same: no secret, but something that was put in its place.
    Trivial {
        /// Its place, from 0.
        index: usize,
    },
}

// === impl Key ===

impl Key {
    fn new(index: usize, bytes: &[u8]) -> Result<Self, KeyError> {
        let secret: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| KeyError::Length {
            index,
            bytes: bytes.len(),
        })?;
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(KeyError::Trivial { index });
        }
        let digest = Sha256::digest(secret);
        Ok(Self {
            secret,
            id: std::array::from_fn(|at| digest[at]),
        })
    }

    fn code(&self, text: &[u8]) -> Hmac<Sha256> {
        let code = Hmac::<Sha256>::new_from_slice(&self.secret);
        let mut code = code.expect("HMAC takes keys of any length (RFC 2104 section 2)");
        code.update(text);
        code
    }

    /// The tag of a text.
    pub(super) fn tag(&self, text: &[u8]) -> [u8; TAG_BYTES] {
        let code = self.code(text).finalize().into_bytes();
        std::array::from_fn(|at| code[at])
    }

    /// Whether that is its tag, in a time that does not depend on how much of it is right.
    pub(super) fn fits(&self, text: &[u8], tag: &[u8]) -> bool {
        tag.len() == TAG_BYTES && self.code(text).verify_truncated_left(tag).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.id;
        write!(f, "Key {a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

// === impl Keys ===

impl Keys {
    /// The keys, the one to write with first.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn new<B: AsRef<[u8]>>(keys: impl IntoIterator<Item = B>) -> Result<Self, KeyError> {
        let keys = keys.into_iter().enumerate();
        let keys: Result<Vec<Key>, KeyError> = keys
            .map(|(index, bytes)| Key::new(index, bytes.as_ref()))
            .collect();
        let mut keys = keys?.into_iter();
        Ok(Self {
            first: keys.next().ok_or(KeyError::None)?,
            others: keys.collect(),
        })
    }

    /// The secrets, in the order of [`Self::new`], for whoever keeps them where nobody else can read.
    pub fn secrets(&self) -> impl Iterator<Item = &[u8; KEY_BYTES]> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .map(|key| &key.secret)
    }

    /// The one to write with.
    pub(super) fn first(&self) -> &Key {
        &self.first
    }

    /// The one with that id.
    pub(super) fn with_id(&self, id: [u8; 4]) -> Option<&Key> {
        let mut all = std::iter::once(&self.first).chain(&self.others);
        all.find(|key| key.id == id)
    }
}

// === impl KeyError ===

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there is no key"),
            Self::Length { index, bytes } => {
                write!(f, "key {index} has {bytes} bytes instead of {KEY_BYTES}")
            }
            Self::Trivial { index } => write!(f, "key {index} is one byte over and over"),
        }
    }
}

impl Error for KeyError {}
