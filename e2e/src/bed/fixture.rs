//! The bed that a test wants.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Bed, start};
use crate::setup;
use crate::spec::{Depth, Kernel, Name, Proxy, Spec, StrictArp};

/// Which bed a test wants; see [`Bed::fixture`].
#[derive(Debug)]
pub struct Fixture {
    program: PathBuf,
    spec: Spec,
}

// === impl Fixture ===

impl Fixture {
    /// As a bed is if nothing is said.
    pub(super) fn new(program: &Path, name: Name) -> Self {
        Self {
            program: program.to_owned(),
            spec: Spec::new(name),
        }
    }

    /// With this many nodes; none runs the API server alone.
    #[must_use]
    pub fn nodes(mut self, nodes: u8) -> Self {
        self.spec.nodes = nodes;
        self
    }

    /// With kube-proxy in this mode.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.spec.proxy = proxy;
        self
    }

    /// With this kernel in its nodes.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.spec.kernel = kernel;
        self
    }

    /// With this said about strictARP.
    #[must_use]
    pub fn strict_arp(mut self, strict_arp: StrictArp) -> Self {
        self.spec.strict_arp = strict_arp;
        self
    }

    /// Without kubelets: kube-proxy is a plain process, and Pods do not run.
    #[must_use]
    pub fn light(mut self) -> Self {
        self.spec.depth = Depth::Light;
        self.spec.memory = 256;
        self
    }

    /// Starts it and waits until it is ready. It is gone when the [`Bed`] is dropped, or this process ends.
    ///
    /// # Errors
    /// If something cannot be installed, built or started.
    pub fn start(self) -> Result<Bed> {
        let orders = setup::prepare(&self.spec, true)?;
        start(&self.program, &orders, &mut |line| {
            crate::cache::note(&format!("{}: {line}", self.spec.name))
        })
    }
}
