//! The words of a remediation: its phases, and why it stands still.

use std::fmt;
use std::str::FromStr;

use crate::remediation::reason::Reason;

/// An enum of names that stand in the API.
macro_rules! names {
    (
        $(#[doc = $about:literal])+
        $name:ident, $error:ident { $( $(#[doc = $doc:literal])+ $variant:ident, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[doc = $doc])+ $variant, )+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// As in the API.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant), )+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.as_str() == text)
                    .ok_or_else(|| $error(text.to_owned()))
            }
        }

        #[doc = concat!("The text is no [`", stringify!($name), "`].")]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("{0:?} is not known; a newer operator may have written it")]
        pub struct $error(pub String);
    };
}

names! {
    /// Where a remediation is.
    Phase, UnknownPhase {
        /// Something has to be done; the agents get a moment to report.
        Detected,
        /// The edits are decided and are being written.
        Planned,
        /// They are written, and no kube-proxy runs with them yet.
        Patched,
        /// kube-proxy is being restarted on the first node, and verified there.
        Canary,
        /// kube-proxy is being restarted on the other nodes.
        RollingOut,
        /// Every node is looked at once more.
        Verifying,
        /// Every node that could be reached is verified.
        Done,
        /// The former text is being put back, and what was restarted is restarted again.
        RollingBack,
        /// That is done.
        RolledBack,
        /// It waits for somebody.
        Paused,
        /// Nothing is written.
        Refused,
    }
}

names! {
    /// Why a remediation stands still, or was taken back.
    Why, UnknownWhy {
        /// Refused: mode ipvs without strictARP, set by flags.
        StrictArpOffByFlags,
        /// Refused: mode ipvs without strictARP, in a ConfigMap that something keeps in shape.
        StrictArpOffManaged,
        /// Refused: mode ipvs without strictARP, in an immutable ConfigMap.
        ConfigMapImmutable,
        /// Refused: mode ipvs without strictARP, and the text cannot be edited with proof.
        EditRefused,
        /// Refused: the text could not be understood beyond doubt.
        ConfigUnclear,
        /// Refused: the mounted ConfigMap does not exist.
        ConfigMapMissing,
        /// Refused: the mounted key does not exist.
        KeyMissing,
        /// Refused: the mounted key is in `binaryData`.
        KeyIsBinary,
        /// Refused: several DaemonSets of kube-proxy read one ConfigMap.
        SharedConfigMap,
        /// Refused: strictARP would break Antrea's Egress before Antrea 1.7.
        BreaksEgress,
        /// Paused: somebody takes the edit back again and again.
        Fighting,
        /// Paused: kube-proxy has to be restarted by hand.
        RestartByHand,
        /// Paused: a restart would switch nodes to another mode.
        ModeWouldChange,
        /// Paused: the CNI's links may not work with strictARP; the canary has to be looked at.
        UnnumberedLinks,
        /// Paused: the policy was changed on the way.
        PolicyForbids,
        /// Paused: nodes are not as they should be after the restart.
        NotVerified,
        /// Rolled back or paused: the first node did not come up as it should.
        CanaryFailed,
        /// Rolled back or paused: a later node did not.
        RolloutFailed,
    }
}

impl Phase {
    /// Something is being done, or will be without anybody's help.
    pub fn is_active(self) -> bool {
        match self {
            Self::Detected
            | Self::Planned
            | Self::Patched
            | Self::Canary
            | Self::RollingOut
            | Self::Verifying
            | Self::RollingBack => true,
            Self::Done | Self::RolledBack | Self::Paused | Self::Refused => false,
        }
    }
}

impl Why {
    /// The refusal that an assessment stands for.
    pub(super) fn refusal(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::StrictArpOffByFlags => Self::StrictArpOffByFlags,
            Reason::StrictArpOffManaged => Self::StrictArpOffManaged,
            Reason::ConfigMapImmutable => Self::ConfigMapImmutable,
            Reason::EditRefused => Self::EditRefused,
            Reason::ConfigUnclear => Self::ConfigUnclear,
            Reason::ConfigMapMissing => Self::ConfigMapMissing,
            Reason::KeyMissing => Self::KeyMissing,
            Reason::KeyIsBinary => Self::KeyIsBinary,
            _ => return None,
        })
    }
}
