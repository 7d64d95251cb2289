//! `check`.

use mooring_core::guard::confirm;
use mooring_core::remediation::run::{Wanted, assess_for};

use crate::args::{CheckArguments, Connection};
use crate::cluster::Cluster;
use crate::output::Output;
use crate::{render, survey};

/// Reads, judges, prints.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &CheckArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let cluster = Cluster::connect(connection).await?;
    let seen = survey::observe(&cluster, connection.namespace.as_deref()).await?;
    let nodes = cluster.node_views(seen.nodes.as_deref()).await?;
    let found = confirm(assess_for(&seen, &nodes, &Wanted::default()), &nodes);
    let text = render::assessment(&found, arguments.output, out.style)?;
    out.bytes(text.as_bytes())?;
    Ok(found.verdict.exit_code())
}
