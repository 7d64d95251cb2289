//! Why a condition is True, False or Unknown.

/// An enum of reasons. The doc comment of a variant is its documentation in the CRD, too.
macro_rules! reasons {
    (
        $(#[doc = $about:literal])+
        $name:ident of $condition:ident {
            $( $status:ident { $( $(#[doc = $doc:literal])+ $variant:ident, )+ } )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($( $(#[doc = $doc])+ $variant, )+)+
        }

        impl $crate::condition::Reason for $name {
            const CONDITION: $crate::condition::ConditionType =
                $crate::condition::ConditionType::$condition;
            const ALL: &'static [Self] = &[ $($( Self::$variant, )+)+ ];

            fn as_str(self) -> &'static str {
                match self { $($( Self::$variant => stringify!($variant), )+)+ }
            }

            fn status(self) -> $crate::condition::ConditionStatus {
                match self { $($( Self::$variant => $crate::condition::ConditionStatus::$status, )+)+ }
            }

            fn meaning(self) -> &'static str {
                match self { $($( Self::$variant => concat!($($doc),+).trim_ascii(), )+)+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad($crate::condition::Reason::as_str(*self))
            }
        }
    };
}

pub(crate) use reasons;

reasons! {
    /// Reasons of `ModeDetected`.
    ModeDetectedReason of ModeDetected {
        True {
            /// the mode is known and, for the cluster, the same on all nodes
            Detected,
            /// each node's mode is known, and they differ; every node is treated by its own
            MixedModes,
        }
        False {
            /// what was found speaks for more than one mode; the evidence is in the NodeProxyState
            Contradiction,
        }
        Unknown {
            /// nothing was found that speaks for any mode
            NoEvidence,
            /// nodes have no agent, or their agents do not report
            NodesNotReporting,
        }
    }
}

reasons! {
    /// Reasons of `StrictARPConfigured`. Those that an assessment has as well are spelt as there.
    StrictArpConfiguredReason of StrictArpConfigured {
        True {
            /// `ipvs.strictARP` is true in the text that kube-proxy reads
            StrictArpOn,
            /// kube-proxy is configured for a mode that does not look at strictARP
            NotNeeded,
            /// something else than kube-proxy handles Services, and it keeps no addresses on the nodes
            Replaced,
        }
        False {
            /// mode ipvs without strictARP
            StrictArpOff,
            /// mode ipvs without strictARP, set by flags that have to be changed where they are written
            StrictArpOffByFlags,
            /// mode ipvs without strictARP, in a ConfigMap that an installer or GitOps tool keeps in shape: it has to be
            /// set there
            StrictArpOffManaged,
            /// mode ipvs without strictARP, in an immutable ConfigMap
            ConfigMapImmutable,
            /// mode ipvs without strictARP, and the text cannot be edited with proof
            EditRefused,
            /// the edit was made, and something else keeps taking it back; nothing is written any more
            Fighting,
            /// the edit was made and taken back, as a kube-proxy did not come up with it
            RolledBack,
            /// strictARP would break Antrea's Egress before Antrea 1.7
            BreaksEgress,
            /// mode ipvs without strictARP, in a ConfigMap that several DaemonSets of kube-proxy read
            SharedConfigMap,
        }
        Unknown {
            /// no kube-proxy was found, and nothing that replaces it
            NoKubeProxy,
            /// this distribution runs kube-proxy without a Pod
            EmbeddedKubeProxy,
            /// kube-router has the same need, with settings of its own
            KubeRouter,
            /// the configuration is not in a ConfigMap
            ConfigElsewhere,
            /// kube-proxy's command line is not in the Pod's spec
            CommandHidden,
            /// kube-proxy does not start with its flags
            InvalidFlags,
            /// the mounted ConfigMap does not exist
            ConfigMapMissing,
            /// the mounted key does not exist
            KeyMissing,
            /// the mounted key is in `binaryData`
            KeyIsBinary,
            /// the text could not be understood beyond doubt
            ConfigUnclear,
        }
    }
}

reasons! {
    /// Reasons of `RolledOut`.
    RolledOutReason of RolledOut {
        True {
            /// every kube-proxy was started after its configuration last changed, and is ready
            AllStarted,
            /// there is no kube-proxy whose configuration matters
            NotNeeded,
        }
        False {
            /// a kube-proxy runs that was started before its configuration last changed
            RestartPending,
            /// somebody has to restart kube-proxy by hand: `rollout.strategy` or the workload's update strategy says so
            RestartByHand,
            /// the first node is being restarted and verified
            Canary,
            /// the other nodes are being restarted
            RollingOut,
            /// a kube-proxy does not run, or is not ready
            PodsNotReady,
        }
        Unknown {
            /// the ConfigMap does not tell when it last changed
            ChangeTimeUnknown,
            /// there is a workload, but no Pod of it
            NoPods,
        }
    }
}

reasons! {
    /// Reasons of `Effective`.
    EffectiveReason of Effective {
        True {
            /// the sysctls that are in effect keep nodes in mode ipvs quiet
            Quiet,
            /// nothing keeps addresses on a node that does not own them
            NotNeeded,
        }
        False {
            /// an uplink's effective `arp_ignore` is 0: it answers for every address of its node
            ArpIgnoreTooLow,
            /// an uplink's effective `arp_announce` is below 2: it may ask ARP in the name of an external IP
            ArpAnnounceTooLow,
            /// addresses of an earlier mode ipvs are left on `kube-ipvs0`, and `arp_ignore` is 0
            AddressesLeftBehind,
        }
        Unknown {
            /// sysctls could not be read
            SysctlsUnreadable,
            /// nodes have no agent, or their agents do not report
            NodesNotReporting,
        }
    }
}

reasons! {
    /// Reasons of `SafeToAnnounce`.
    SafeToAnnounceReason of SafeToAnnounce {
        True {
            /// every node that needs it keeps quiet about addresses that it does not own
            AllNodesQuiet,
            /// no node keeps addresses that it does not own
            NotNeeded,
            /// policy `Ignore`: addresses are announced because you said so, whether that is safe or not
            PolicyIgnores,
        }
        False {
            /// a node answers for addresses that it does not own; `Effective` says which
            NodesNotQuiet,
            /// nodes are quiet now, and would not be after the next restart of kube-proxy and the node
            NotConfigured,
        }
        Unknown {
            /// it is not known what handles Service traffic on every node
            ModeUnknown,
            /// nodes have no agent, or their agents do not report
            NodesNotReporting,
        }
    }
}

reasons! {
    /// Reasons of `SingleResponder` of a ServiceProxy.
    ForeignResponderReason of ForeignSingleResponder {
        True {
            /// two nodes asked for each of them, and one host answered for each
            OneResponderEach,
            /// no Service has such an address, or none that two nodes have on their segment
            NothingToWatch,
        }
        False {
            /// several hosts answer for one address
            SeveralResponders,
            /// nobody answers for an address
            NoResponder,
        }
        Unknown {
            /// of an address it is not known yet who answers, or its two witnesses contradict each other
            NotWitnessed,
        }
    }
}

reasons! {
    /// Reasons of `KubeProxyHealthy`.
    KubeProxyHealthyReason of KubeProxyHealthy {
        True {
            /// it answers on its health port, and its last sync is fresh
            Healthy,
            /// something else handles Services on this node
            NotNeeded,
        }
        False {
            /// its health port says that it does not keep up
            Unhealthy,
            /// its container ends again and again
            CrashLooping,
            /// its Pod does not run
            NotRunning,
            /// it runs with a configuration that was changed since
            OlderThanConfiguration,
        }
        Unknown {
            /// it does not answer where it should
            NoAnswer,
        }
    }
}

reasons! {
    /// Reasons of `UplinksAnswer`.
    UplinksAnswerReason of UplinksAnswer {
        True {
            /// the kernel answers for addresses of the uplink
            Answering,
        }
        False {
            /// an uplink's effective `arp_ignore` is 8: it answers for nothing, not even for the node's own address
            AnswersNothing,
            /// an uplink's effective `arp_ignore` is 2: it answers only to senders in the subnet of the asked address
            AnswersOwnSubnetOnly,
        }
        Unknown {
            /// sysctls could not be read
            SysctlsUnreadable,
        }
    }
}
