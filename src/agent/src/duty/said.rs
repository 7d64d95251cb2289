//! From how it stands with an address to what is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_api::external_ip::{
    Held, Method, Move, Overlap, Responder, Said, Sighting as SightingWritten,
};
use mooring_core::condition::Condition;
use mooring_core::external_ip::Move as Why;
use mooring_core::kube_proxy::snapshot::Timestamp as Seconds;
use mooring_core::mooring::{self, Holding, Now, Sighting, Standing};
use mooring_core::node::{self, Witnessed};
use mooring_core::peer::Term;
use mooring_core::wire::Mac;

use crate::api::Address;
use crate::moor::Moored;

/// How an address came to this node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way<'a> {
    /// Under which term it has it.
    pub term: Term,
    /// The node that had it before, as the API tells.
    pub from: Option<&'a str>,
    /// It was taken over.
    pub taken: Option<TakenOver>,
    /// Another node had it as well.
    pub rival: Option<Beside>,
}

/// Who had an address as well.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Beside {
    /// The name of the node; `None` if that is gone from the cluster meanwhile.
    pub node: Option<String>,
    /// When it let go of it.
    pub until: Now,
}

/// From whom an address was taken over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TakenOver {
    /// The name of the node; `None` if that is gone from the cluster meanwhile.
    pub from: Option<String>,
    /// For how long it had not been heard by then.
    pub missed: Duration,
}

/// What is to be said; `None` while it is not clear yet. `at` is the time at which `moored` was told.
pub(super) fn said<'a>(
    standing: &Standing,
    moored: &Moored,
    at: Timestamp,
    address: &Address,
    way: Way<'_>,
    node_of: impl Fn(Mac) -> Option<&'a str>,
) -> Option<Said> {
    let announced = standing.announced(&moored.node)?;
    let conditions = [Some(announced), standing.conflict(node_of)];
    let held = standing
        .holding()
        .map(|holding| held(holding, moored, at, address, way));
    Some(Said {
        held,
        conditions: conditions.into_iter().flatten().collect(),
    })
}

fn held(
    holding: &Holding,
    moored: &Moored,
    at: Timestamp,
    address: &Address,
    way: Way<'_>,
) -> Held {
    let node = &moored.node.name;
    let status = &address.status;
    let stayed = status.node.as_deref() == Some(node);
    // In whole seconds, as the API keeps times: computed anew, it differs by less.
    let since = whole_seconds(at - moored.at.saturating_sub(holding.since));
    let (reason, from, missed) = match way.taken {
        Some(TakenOver { from, missed }) => (Why::TAKE_OVER, from, missed),
        None => {
            let cause = address.cause.as_deref().unwrap_or(Why::PLANNED);
            (cause, way.from.map(str::to_owned), Duration::ZERO)
        }
    };
    let took = holding.took + missed;
    let last_move = if stayed {
        status.last_move.clone()
    } else {
        Some(Move {
            time: whole_seconds(since.0 - took),
            from,
            reason: reason.to_owned(),
            duration_milliseconds: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        })
    };
    // Who let go before the node took it anew is of its former time.
    let rival = way.rival.filter(|rival| rival.until > holding.since);
    let beside = rival.map(|rival| overlap(holding, moored, at, rival));
    let known = status.last_overlap.clone().filter(|_| stayed);
    let same = beside.as_ref().is_none_or(|beside| {
        let length = |of: &Overlap| (of.node.clone(), of.duration_milliseconds);
        known.as_ref().map(length) == Some(length(beside))
    });
    Held {
        node: node.clone(),
        interface: holding.berth.interface.clone(),
        mac: holding.mac.map(|mac| mac.to_string()),
        method: match holding.berth.method {
            mooring::Method::Responder => Method::Responder,
            mooring::Method::Uplink => Method::Uplink,
        },
        since: status.since.clone().filter(|_| stayed).unwrap_or(since),
        term: Some(way.term),
        last_move,
        // The time is computed anew each time, and may differ by a second then.
        last_overlap: if same { known } else { beside },
    }
}

fn overlap(holding: &Holding, moored: &Moored, at: Timestamp, beside: Beside) -> Overlap {
    let length = beside.until.saturating_sub(holding.since);
    let until = at - moored.at.saturating_sub(beside.until);
    Overlap {
        time: whole_seconds(until),
        node: beside.node,
        duration_milliseconds: u32::try_from(length.as_millis()).unwrap_or(u32::MAX),
    }
}

fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// What a witness says of an address that `holder` is to have.
pub(super) fn seen<'a>(
    witness: &str,
    holder: &str,
    sighting: &Sighting,
    now: &Time,
    node_of: impl Fn(Mac) -> Option<&'a str>,
) -> (SightingWritten, Condition) {
    let responders = sighting.macs.iter().map(|mac| Responder {
        mac: mac.to_string(),
        node: node_of(*mac).map(str::to_owned),
    });
    let written = SightingWritten {
        witness: witness.to_owned(),
        time: now.clone(),
        responders: responders.collect(),
    };
    (written, sighting.single(witness, holder, node_of))
}

/// Who answered for an address of somebody else's, and since when it is they.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    pub macs: BTreeSet<Mac>,
    pub since: Timestamp,
}

/// What is to be said about the addresses of others that this node watches. `kept` is what stands in the API: of an address that
/// was not looked at yet it stays, and while the same hosts answer, so does the time.
pub(super) fn witnessed<'a>(
    watched: &BTreeSet<IpAddr>,
    answered: &BTreeMap<IpAddr, Answered>,
    kept: &[Witnessed],
    node_of: impl Fn(Mac) -> Option<&'a str>,
) -> Vec<Witnessed> {
    let kept: BTreeMap<IpAddr, &Witnessed> = kept.iter().map(|one| (one.address, one)).collect();
    let told = watched.iter().filter_map(|address| {
        let kept = kept.get(address).copied();
        let Some(answered) = answered.get(address) else {
            return kept.cloned();
        };
        let same = |kept: &&Witnessed| {
            let macs = kept.responders.iter().map(|one| one.mac);
            macs.eq(answered.macs.iter().copied())
        };
        let since = Seconds::from_unix_seconds(answered.since.as_second());
        let responders = answered.macs.iter().map(|mac| node::Responder {
            mac: *mac,
            node: node_of(*mac).map(str::to_owned),
        });
        Some(Witnessed {
            address: *address,
            since: kept.filter(same).map_or(since, |kept| kept.since),
            responders: responders.collect(),
        })
    });
    told.collect()
}
