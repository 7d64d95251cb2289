//! The annotations that say something about the addresses of a Service.

/// The pools to take addresses from, separated by commas, the first choice first.
pub const POOL: &str = "mooring.dev/pool";

/// The addresses to take, separated by commas, at most one of each family.
pub const IPS: &str = "mooring.dev/ips";

/// Services with the same key may share an address.
pub const SHARE: &str = "mooring.dev/share";

/// Antrea's: the pool to take an address from.
pub const ANTREA_POOL: &str = "service.antrea.io/external-ip-pool";

/// Antrea's: a boolean as Go reads it. Services that have it set may share an address.
pub const ANTREA_SHARE: &str = "service.antrea.io/allow-shared-load-balancer-ip";

/// MetalLB's, under its present and its former name: the pool to take addresses from.
pub const METALLB_POOL: [&str; 2] = [
    "metallb.io/address-pool",
    "metallb.universe.tf/address-pool",
];

/// MetalLB's: the addresses to take, separated by commas.
pub const METALLB_IPS: [&str; 2] = [
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
];

/// MetalLB's: Services with the same key may share an address.
pub const METALLB_SHARE: [&str; 2] = [
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
];

/// All of them. A Service's other annotations are nobody's business here.
pub const ALL: [&str; 11] = [
    POOL,
    IPS,
    SHARE,
    ANTREA_POOL,
    ANTREA_SHARE,
    METALLB_POOL[0],
    METALLB_POOL[1],
    METALLB_IPS[0],
    METALLB_IPS[1],
    METALLB_SHARE[0],
    METALLB_SHARE[1],
];
