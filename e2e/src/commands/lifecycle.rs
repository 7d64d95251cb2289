//! Verbs that change a bed.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::UpArgs;
use testbed::Bed;
use testbed::cache::note;
use testbed::protocol::Request;
use testbed::setup;
use testbed::spec::{Depth, Name, Proxy, Spec};

pub(super) fn setup(name: &Name, args: &UpArgs) -> Result<ExitCode> {
    let spec = spec(name, args)?;
    setup::prepare(&spec, false)?;
    if spec.depth == Depth::Full {
        setup::metallb()?;
    }
    note("everything is installed and built");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn up(name: &Name, args: &UpArgs) -> Result<ExitCode> {
    let spec = spec(name, args)?;
    let orders = setup::prepare(&spec, false)?;
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    Bed::up(&program, &orders, &mut |line| note(line))?;
    let flag = if name.as_str() == "demo" {
        String::new()
    } else {
        format!(" --name {name}")
    };
    note(&format!(
        "try: testbed{flag} kubectl -- get nodes -o wide; testbed{flag} down"
    ));
    Ok(ExitCode::SUCCESS)
}

fn spec(name: &Name, args: &UpArgs) -> Result<Spec> {
    let depth = if args.light {
        Depth::Light
    } else {
        Depth::Full
    };
    if args.proxy == Proxy::Nftables && !args.kernel.has_nftables() {
        bail!(
            "that kernel has no nf_tables families ip and ip6, so kube-proxy cannot run in nftables mode on it: use --kernel own"
        );
    }
    let memory = args.memory.unwrap_or(if args.light { 256 } else { 1024 });
    Ok(Spec {
        nodes: args.nodes,
        depth,
        proxy: args.proxy,
        strict_arp: args.strict_arp,
        kernel: args.kernel,
        memory,
        ..Spec::new(name.clone())
    })
}

pub(super) fn down(name: &Name) -> Result<ExitCode> {
    Bed::find(name)?.down()?;
    note(&format!("{name}: gone"));
    Ok(ExitCode::SUCCESS)
}

/// The same request for several nodes, side by side.
pub(super) fn each(
    name: &Name,
    nodes: Vec<String>,
    done: &str,
    request: impl Fn(String) -> Request + Sync,
) -> Result<ExitCode> {
    let bed = Bed::find(name)?;
    let failed = std::thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .iter()
            .map(|node| {
                let (bed, request) = (&bed, &request);
                scope.spawn(move || match bed.order(&request(node.clone())) {
                    Ok(took) => {
                        note(&format!("{node}: {done} ({:.1} s)", took.as_secs_f64()));
                        true
                    }
                    Err(error) => {
                        note(&format!("{node}: {error:#}"));
                        false
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .any(|good| !good)
    });
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

pub(super) fn order(name: &Name, request: &Request) -> Result<ExitCode> {
    Bed::find(name)?.order(request)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn cut(name: &Name, host: String) -> Result<ExitCode> {
    let others: Vec<String> = Bed::find(name)?
        .status()?
        .hosts()
        .map(|other| other.name)
        .filter(|other| *other != host)
        .collect();
    order(name, &Request::Cut(between(&[vec![host], others])))
}

pub(super) fn partition(name: &Name, groups: &[String]) -> Result<ExitCode> {
    let groups: Vec<Vec<String>> = groups
        .iter()
        .map(|group| group.split(',').map(str::to_owned).collect())
        .collect();
    order(name, &Request::Cut(between(&groups)))
}

/// Every ordered pair of hosts of different groups.
fn between(groups: &[Vec<String>]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (i, from) in groups.iter().enumerate() {
        for (_, to) in groups.iter().enumerate().filter(|(j, _)| *j != i) {
            pairs.extend(
                from.iter()
                    .flat_map(|a| to.iter().map(|b| (a.clone(), b.clone()))),
            );
        }
    }
    pairs
}

pub(super) fn load_image(name: &Name, tar: &Path) -> Result<ExitCode> {
    let path = tar
        .canonicalize()
        .with_context(|| format!("cannot open {}", tar.display()))?;
    order(name, &Request::LoadImage(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn a_partition_is_every_pair_of_different_groups_both_ways() {
        let group = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let mut pairs = between(&[group(&["a"]), group(&["b", "c"])]);
        pairs.sort();
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| format!("{a}{b}")).collect();
        assert_eq!(pairs, ["ab", "ac", "ba", "ca"]);
    }
}
