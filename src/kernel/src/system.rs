//! The calls that nix has no safe form of. Every pointer that goes to the kernel is made here from a reference.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

use crate::{GroupChange, IpFamily, MacAddress};

/// Binds to a link; `ethertype` in host byte order.
pub(super) fn bind(socket: BorrowedFd<'_>, ethertype: u16, link: i32) -> Result<(), Errno> {
    let address = link_address(ethertype, link);
    // SAFETY: `address` lives across the call and is as long as the length says; the kernel only reads it. `socket` is open
    // for as long as it is borrowed.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    Errno::result(bound).map(drop)
}

/// The hardware type of the link that `socket` is bound to, `ARPHRD_*` of linux/if_arp.h. The kernel's answer is two bytes
/// shorter than the structure, which nix's `getsockname` takes for no address at all.
pub(super) fn hardware_type(socket: BorrowedFd<'_>) -> Result<u16, Errno> {
    let mut address = link_address(0, 0);
    let mut length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` lives across the call and has room for `length` bytes, the most that the kernel writes; any bytes
    // make a valid `sockaddr_ll`. `socket` is open for as long as it is borrowed.
    let named = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut address).cast(),
            &raw mut length,
        )
    };
    Errno::result(named)?;
    Ok(address.sll_hatype)
}

/// Has the kernel copy `program`, check it and use it from now on.
pub(super) fn attach_filter(
    socket: BorrowedFd<'_>,
    program: &[libc::sock_filter],
) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        // The kernel only reads it (`bpf_prog_create_from_user` in net/core/filter.c).
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `filter` points to `len` instructions, which the caller's slice keeps in place across the call.
    unsafe { set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }
}

/// Keeps what this host sends from the socket, before any filter runs.
pub(super) fn ignore_outgoing(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let yes: c_int = 1;
    // SAFETY: a number holds no pointer.
    unsafe { set_option(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &yes) }
}

/// Joins or leaves a group. The kernel counts joins and ignores leaving what was not joined.
pub(super) fn change_group(
    socket: BorrowedFd<'_>,
    change: GroupChange,
    link: i32,
    group: MacAddress,
) -> Result<(), Errno> {
    let name = match change {
        GroupChange::Join => libc::PACKET_ADD_MEMBERSHIP,
        GroupChange::Leave => libc::PACKET_DROP_MEMBERSHIP,
    };
    let [a, b, c, d, e, f] = group.0;
    let request = libc::packet_mreq {
        mr_ifindex: link,
        mr_type: libc::PACKET_MR_MULTICAST as libc::c_ushort,
        mr_alen: 6,
        mr_address: [a, b, c, d, e, f, 0, 0],
    };
    // SAFETY: a `packet_mreq` holds no pointer.
    unsafe { set_option(socket, libc::SOL_PACKET, name, &request) }
}

/// Frames that passed the filter, and how many of them were dropped; reading sets both to zero.
pub(super) fn statistics(socket: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
    let mut counts = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    // SAFETY: any bytes make a valid `tpacket_stats`, which holds no pointer.
    unsafe {
        get_option(
            socket,
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            &mut counts,
        )
    }?;
    Ok((counts.tp_packets, counts.tp_drops))
}

/// What legacy iptables tells of a table, of the one whose name `value` begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum OfTable {
    /// `ipt_getinfo`, `ip6t_getinfo`.
    Info,
    /// `ipt_get_entries`, `ip6t_get_entries`, and the entries.
    Entries,
}

/// Reads what legacy iptables tells of a table, through any socket of the family (linux/netfilter_ipv4/ip_tables.h,
/// linux/netfilter_ipv6/ip6_tables.h). `value` has to be as long as the answer, exactly; it takes CAP_NET_ADMIN.
pub(super) fn read_table(
    socket: BorrowedFd<'_>,
    family: IpFamily,
    what: OfTable,
    value: &mut [u8],
) -> Result<(), Errno> {
    /// `IPT_BASE_CTL` and `IP6T_BASE_CTL`.
    const BASE: c_int = 64;
    let level = match family {
        IpFamily::V4 => libc::SOL_IP,
        IpFamily::V6 => libc::SOL_IPV6,
    };
    let name = match what {
        OfTable::Info => BASE,
        OfTable::Entries => BASE + 1,
    };
    // SAFETY: any bytes make a valid slice of bytes, and what the kernel reads there for these two options, a name and a number,
    // holds no pointer.
    unsafe { get_option(socket, level, name, value) }
}

/// Has the calling thread scheduled by `policy` with `priority` from now on.
///
/// The system call itself: musl's function of this name only says that there is none, since POSIX means all threads.
pub(super) fn set_scheduler(policy: c_int, priority: c_int) -> Result<(), Errno> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    let this_thread: libc::pid_t = 0;
    // SAFETY: `parameter` lives across the call, is at least as long as the kernel's structure, which is this number alone,
    // and is only read.
    let set = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            this_thread,
            policy,
            &raw const parameter,
        )
    };
    Errno::result(set).map(drop)
}

/// Has every block of 32 KiB and more in a mapping of its own. glibc does so from 128 KiB on, and raises that limit with each of
/// them that is freed (mallopt(3), `M_MMAP_THRESHOLD`). Lists that grow with each new entry leave a hole behind each time that
/// nothing else may fit into. Other C libraries have no such limit.
pub(super) fn map_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator's, under the allocator's lock; no memory that anybody has is touched.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 10);
    }
}

/// `ethertype` in host byte order.
fn link_address(ethertype: u16, link: i32) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: link,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

/// # Safety
///
/// A pointer inside `value` has to point to what the option takes, until this returns.
unsafe fn set_option<T>(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> Result<(), Errno> {
    // SAFETY: `value` lives across the call and is as long as the length says, and the kernel only reads it. What is inside
    // is vouched for by the caller. `socket` is open for as long as it is borrowed.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(set).map(drop)
}

/// # Safety
///
/// Any bytes have to make a valid `T`, and what the option takes of `value` may hold no pointer.
unsafe fn get_option<T: ?Sized>(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &mut T,
) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of_val(value));
    let mut length = length.map_err(|_| Errno::EINVAL)?;
    // SAFETY: `value` lives across the call and has room for `length` bytes, the most that the kernel writes. What these make,
    // and what is read there, is vouched for by the caller. `socket` is open for as long as it is borrowed.
    let read = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut *value).cast(),
            &raw mut length,
        )
    };
    Errno::result(read).map(drop)
}
