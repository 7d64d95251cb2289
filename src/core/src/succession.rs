//! Who takes an address over when its node is gone: decided by every agent alone, alike, and without the API server.
//!
//! ```text
//! Posts (the plan, as last known) ─┐
//! who is gone, who is back ────────┼─▶ Succession ─┬─▶ the addresses that this node shall have, and why
//! words of others ─────────────────┤               ├─▶ words to others
//! what this node really holds ─────┘               └─▶ news
//! ```
//!
//! Each node watches only a few others; of the rest it learns by the word of those who watch them, and only if something
//! falls to it.
//!
//! An address has a planned node and heirs in an order that everybody knows. The first of them that is not gone has it.
//! Whoever took it over keeps it when the planned node comes back: the plan may follow later, or call it back.
//!
//! Each time an address is taken over its [`Term`] grows. Where two nodes come to hold one address, as the two sides of a
//! partition may, they tell each other when they meet, and the one with the lower term lets go. Between two of one term the
//! one that comes first in the order keeps it.
//!
//! To be told to have an address is not yet to hold it: the wire is asked before it is spoken for, and a node whose agent
//! alone is gone may still answer for it.

mod machine;
mod output;
mod post;

pub use crate::peer::Term;
pub use machine::Succession;
pub use output::{Claim, Deed, News, Output, Replanned, Word};
pub use post::Post;
