//! Addresses of Services: what pools have, what Services ask for, who gets what.

pub mod object_name;
pub mod quoted;
pub mod range;
