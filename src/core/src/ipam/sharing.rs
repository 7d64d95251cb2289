//! Which Services may have one address together.

use super::claim::Holder;
use super::service::ServicePort;

/// Why a Service cannot share an address with another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareRefusal {
    /// Both want the same port.
    #[error("both want port {0}: change the port of one of them")]
    PortTaken(ServicePort),
    /// One of them does not share at all.
    #[error("{0} does not share its addresses: set mooring.dev/share to the same key on both")]
    NotShared(String),
    /// They share with others.
    #[error("their sharing keys differ: set mooring.dev/share to the same key on both")]
    OtherKey,
}

/// Whether two Services may have one address. Their traffic policies do not matter: the address has one owner whatever
/// they are.
///
/// # Errors
/// Why not. Ports come first: two Services on one port never work, two with different keys do.
pub fn check(one: &Holder, other: &Holder) -> Result<(), ShareRefusal> {
    let clash = one
        .ports
        .iter()
        .find(|port| other.ports.binary_search(port).is_ok());
    if let Some(port) = clash {
        return Err(ShareRefusal::PortTaken(*port));
    }
    for holder in [one, other] {
        if holder.share.is_none() {
            return Err(ShareRefusal::NotShared(holder.service.to_string()));
        }
    }
    if one.share == other.share {
        Ok(())
    } else {
        Err(ShareRefusal::OtherKey)
    }
}
