use std::net::IpAddr;

/// A route to a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostRoute {
    /// The address.
    pub ip: IpAddr,
    /// The index of the link that it leaves by.
    pub link: u32,
}

/// A route to everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefaultRoute {
    /// Of several, the kernel takes the one with the lowest.
    pub metric: u32,
    /// The index of the link that it leaves by.
    pub link: u32,
    /// The router; `None` if the link leads to everywhere by itself. Of another family than the route where that is so
    /// (RFC 5549).
    pub gateway: Option<IpAddr>,
}
