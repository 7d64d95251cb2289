use std::fmt;

use nix::errno::Errno;
use thiserror::Error;

use crate::{MacAddress, OsError};

/// Which step of opening a socket failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpeningStep {
    /// Making the socket.
    Socket,
    /// Attaching the filter.
    Filter,
    /// Binding it to the link.
    Bind,
    /// Asking what kind of link that is.
    HardwareType,
}

/// What was to be done with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupChange {
    /// Joining it.
    Join,
    /// Leaving it.
    Leave,
}

/// Why something could not be done with a packet socket. Links are told by index, since their names change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The process lacks `CAP_NET_RAW` in the user namespace that owns the network namespace.
    #[error("opening a packet socket on link {link}: not permitted; it takes CAP_NET_RAW")]
    NotPermitted {
        /// Its index.
        link: u32,
    },
    /// No link has this index, or none has it any more: such a socket has to be opened anew on another link.
    #[error("link {link} is not there")]
    NoSuchLink {
        /// Its index.
        link: u32,
    },
    /// Its frames do not start with an Ethernet header.
    #[error(
        "opening a packet socket on link {link}: it is not Ethernet but of hardware type {hardware}"
    )]
    NotEthernet {
        /// Its index.
        link: u32,
        /// `ARPHRD_*` of linux/if_arp.h.
        hardware: u16,
    },
    /// Opening failed otherwise.
    #[error("opening a packet socket on link {link}: {step} failed: {error}")]
    Open {
        /// Its index.
        link: u32,
        /// How far it came.
        step: OpeningStep,
        /// What the kernel said.
        error: OsError,
    },
    /// The address is one host's.
    #[error("joining groups on link {link}: {group} is the address of one host, not of a group")]
    NotAGroup {
        /// Its index.
        link: u32,
        /// The address.
        group: MacAddress,
    },
    /// The kernel did not let the socket join or leave.
    #[error("{change} the group {group} on link {link}: {error}")]
    Group {
        /// Its index.
        link: u32,
        /// What was to be done.
        change: GroupChange,
        /// The group.
        group: MacAddress,
        /// What the kernel said.
        error: OsError,
    },
    /// Receiving failed, and not for want of a frame.
    #[error("receiving a frame on link {link}: {error}")]
    Receive {
        /// Its index.
        link: u32,
        /// What the kernel said.
        error: OsError,
    },
    /// Nothing can be sent while the link is down (`ENETDOWN`).
    #[error("sending a frame on link {link}: the link is down")]
    LinkDown {
        /// Its index.
        link: u32,
    },
    /// The link's queue dropped the frame or had no room for it (`ENOBUFS`).
    #[error("sending a frame on link {link}: its queue is full")]
    QueueFull {
        /// Its index.
        link: u32,
    },
    /// Too many frames of this socket still wait for the link (`EAGAIN`).
    #[error("sending a frame on link {link}: the socket's send buffer is full")]
    BufferFull {
        /// Its index.
        link: u32,
    },
    /// The frame is shorter than an Ethernet header (`EINVAL`) or longer than the link carries (`EMSGSIZE`).
    #[error("sending a frame on link {link}: it takes none of {length} bytes")]
    FrameLength {
        /// Its index.
        link: u32,
        /// Of the frame, in bytes.
        length: usize,
    },
    /// Sending failed otherwise.
    #[error("sending a frame on link {link}: {error}")]
    Send {
        /// Its index.
        link: u32,
        /// What the kernel said.
        error: OsError,
    },
    /// The statistics could not be read.
    #[error("counting the frames of link {link}: {error}")]
    Statistics {
        /// Its index.
        link: u32,
        /// What the kernel said.
        error: OsError,
    },
    /// No waker could be made.
    #[error("making a waker: {error}")]
    Waker {
        /// What the kernel said.
        error: OsError,
    },
    /// Waiting failed, and not because the time was over.
    #[error("waiting for frames: {error}")]
    Wait {
        /// What the kernel said.
        error: OsError,
    },
}

// === impl PacketError ===

impl PacketError {
    pub(super) fn opening(link: u32, step: OpeningStep, errno: Errno) -> Self {
        match (step, errno) {
            (OpeningStep::Socket, Errno::EPERM | Errno::EACCES) => Self::NotPermitted { link },
            (OpeningStep::Bind, Errno::ENODEV) => Self::NoSuchLink { link },
            (step, errno) => Self::Open {
                link,
                step,
                error: os(errno),
            },
        }
    }

    pub(super) fn changing_group(
        link: u32,
        change: GroupChange,
        group: MacAddress,
        errno: Errno,
    ) -> Self {
        match errno {
            Errno::ENODEV => Self::NoSuchLink { link },
            errno => Self::Group {
                link,
                change,
                group,
                error: os(errno),
            },
        }
    }

    pub(super) fn receiving(link: u32, errno: Errno) -> Self {
        Self::Receive {
            link,
            error: os(errno),
        }
    }

    /// `packet_snd` in net/packet/af_packet.c: ENXIO is a socket whose link is gone.
    pub(super) fn sending(link: u32, length: usize, errno: Errno) -> Self {
        match errno {
            Errno::ENETDOWN => Self::LinkDown { link },
            Errno::ENOBUFS => Self::QueueFull { link },
            Errno::EAGAIN => Self::BufferFull { link },
            Errno::ENXIO | Errno::ENODEV => Self::NoSuchLink { link },
            Errno::EMSGSIZE | Errno::EINVAL => Self::FrameLength { link, length },
            errno => Self::Send {
                link,
                error: os(errno),
            },
        }
    }

    pub(super) fn counting(link: u32, errno: Errno) -> Self {
        Self::Statistics {
            link,
            error: os(errno),
        }
    }

    pub(super) fn making_waker(errno: Errno) -> Self {
        Self::Waker { error: os(errno) }
    }

    pub(super) fn waiting(errno: Errno) -> Self {
        Self::Wait { error: os(errno) }
    }
}

fn os(errno: Errno) -> OsError {
    OsError::from_raw(errno as i32)
}

impl fmt::Display for OpeningStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "making the socket",
            Self::Filter => "attaching the filter",
            Self::Bind => "binding it to the link",
            Self::HardwareType => "asking for the link's hardware type",
        })
    }
}

impl fmt::Display for GroupChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join => "joining",
            Self::Leave => "leaving",
        })
    }
}
