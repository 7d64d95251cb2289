//! Addresses of Services: what pools have, what Services ask for, who gets what.

pub mod allocate;
pub mod claim;
pub mod cluster_addresses;
pub mod object_name;
pub mod outcome;
pub mod plan;
pub mod pool;
pub mod quoted;
pub mod range;
pub mod reason;
pub mod request;
pub mod selector;
pub mod service;
pub mod sharing;
