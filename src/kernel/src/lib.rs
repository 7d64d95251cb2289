//! Linux as Mooring sees it: small blocking readings behind the trait [`Host`], and the few writes it may do.
//!
//! ```text
//!             trait Host
//!            /          \
//!     LinuxHost        FakeHost
//!    /proc, netlink    a model in memory
//! ```
//!
//! Both give the same answers, the same errors and the same order; one test suite runs against both. Nothing here
//! decides anything: what a value means for a node is `mooring-core`'s business, and this crate does not depend on it.
//! No netlink type stands in a public signature, since those crates change theirs with every minor version. `system` is the
//! one module of the workspace with `unsafe` code.

mod address;
mod attributes;
mod facility;
mod fake;
mod host;
mod interface;
mod ip_family;
mod ipvs;
mod link;
mod linux;
mod new_address;
mod nft;
mod onward;
mod os_error;
mod packet;
mod port_filter;
mod read_error;
mod refusals;
mod responder;
mod route;
mod schedule;
mod service_target;
mod sysctl;
#[expect(
    unsafe_code,
    reason = "nix has no safe call for sockaddr_ll with a protocol, for options of packet sockets and of legacy iptables, nor for schedulers"
)]
mod system;
mod write_error;

pub use address::{Address, AddressFlags, AddressScope, Lifetime};
pub use facility::Facility;
pub use fake::FakeHost;
pub use host::Host;
pub use interface::{InterfaceName, InterfaceNameError};
pub use ip_family::IpFamily;
pub use ipvs::{Forwarding, IpvsDestination, IpvsMatch, IpvsProtocol, IpvsService};
pub use link::{Link, MacAddress};
pub use linux::{LinuxHost, Monitor, News};
pub use new_address::{NewAddress, Put, Removed};
pub use nft::{NftChain, NftFamily, NftTable};
pub use onward::Onward;
pub use os_error::OsError;
pub use packet::{
    Ears, FrameCount, GroupChange, Inbox, More, OpeningStep, PacketError, PacketSocket, Ready,
    Received, Waker, wait, wait_for,
};
pub use port_filter::{Filtered, Open, PortFilter};
pub use read_error::{ReadError, Reading};
pub use refusals::{hear_refusals, refusals};
pub use responder::{Answering, Responder};
pub use route::{DefaultRoute, HostRoute};
pub use schedule::{ScheduleError, boot_time, lock_memory, real_time};
pub use service_target::ServiceTarget;
pub use sysctl::{ArpSetting, Conf, EffectiveArp, Sysctl, SysctlError, Written};
pub use write_error::{WriteError, Writing};
