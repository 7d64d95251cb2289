//! Pools and addresses as text.

use comfy_table::Table;
use mooring_api::external_ip_pool::Number;

use super::LISTED;
use crate::render::{or_dash, push_table, table};
use crate::status::{AddressShown, NodeAddresses, PoolShown, Shown};

/// Services that are named for one address.
const SERVICES: usize = 2;

/// The pools and the addresses, what is not right first.
pub(super) fn push(text: &mut String, shown: &Shown, all: bool) {
    push_table(text, pools(&shown.pools));
    if shown.addresses.is_empty() {
        return;
    }
    text.push_str(&format!("\n{}\n", summary(&shown.addresses)));
    let wrong = shown
        .addresses
        .iter()
        .filter(|address| !address.trouble.is_empty());
    let listed = if all || shown.addresses.len() <= LISTED {
        shown.addresses.len()
    } else {
        wrong.clone().count().min(LISTED)
    };
    push_table(text, addresses(shown.addresses.iter().take(listed)));
    if listed < shown.addresses.len() {
        let wrong = wrong.count();
        let right = shown.addresses.len() - wrong;
        let more = match wrong - listed.min(wrong) {
            0 => String::new(),
            more => format!("{more} more are not as they should be, "),
        };
        text.push_str(&format!(
            "{more}{right} are as they should be; all of them: kubectl mooring status --all\n"
        ));
    }
    if listed > 0 {
        text.push_str("Why: kubectl mooring explain ADDRESS\n");
    }
}

/// How many addresses a node has, and of how many that belong to it.
pub(super) fn count(addresses: NodeAddresses) -> String {
    let NodeAddresses { owned, planned } = addresses;
    if owned == planned {
        owned.to_string()
    } else {
        format!("{owned} of {planned}")
    }
}

fn summary(addresses: &[AddressShown]) -> String {
    let count = |wanted: fn(&AddressShown) -> bool| {
        addresses.iter().filter(|address| wanted(address)).count()
    };
    let used = count(|address| !address.rests());
    let announced = count(|address| !address.rests() && address.is_announced());
    let mut text = format!(
        "{used} address{} in use, {announced} announced",
        if used == 1 { "" } else { "es" }
    );
    match count(|address| !address.trouble.is_empty()) {
        0 => {}
        1 => text.push_str(", 1 not as it should be"),
        wrong => text.push_str(&format!(", {wrong} not as they should be")),
    }
    match count(AddressShown::rests) {
        0 => {}
        1 => text.push_str("; 1 rests"),
        resting => text.push_str(&format!("; {resting} rest")),
    }
    text
}

fn pools(pools: &[PoolShown]) -> Option<Table> {
    let number = |number: &Option<Number>| match number {
        Some(Number::Integer(number)) => number.to_string(),
        Some(Number::Digits(digits)) => digits.clone(),
        None => "-".to_owned(),
    };
    let rows = pools.iter().map(|pool| {
        let ready = pool.ready.as_ref();
        let said: Vec<&str> = ready
            .filter(|ready| ready.status != "True")
            .into_iter()
            .chain(&pool.trouble)
            .map(|condition| condition.message.as_str())
            .collect();
        let reasons: Vec<&str> = ready
            .into_iter()
            .chain(&pool.trouble)
            .map(|condition| condition.reason.as_str())
            .collect();
        vec![
            pool.name.clone(),
            pool.group.to_owned(),
            number(&pool.total),
            number(&pool.used),
            number(&pool.free),
            or_dash(ready.map(|ready| ready.status.as_str()).unwrap_or_default()),
            or_dash(&reasons.join(",")),
            or_dash(&said.join(" ")),
        ]
    });
    let header = [
        "POOL", "KIND", "TOTAL", "USED", "FREE", "READY", "REASON", "MESSAGE",
    ];
    table(&header, rows)
}

fn addresses<'s>(addresses: impl Iterator<Item = &'s AddressShown>) -> Option<Table> {
    let rows = addresses.map(|address| {
        let announced = match address.announced.as_ref().map(|said| said.status.as_str()) {
            _ if address.rests() => "rests",
            Some("True") => "yes",
            Some("False") => "NO",
            _ => "?",
        };
        vec![
            address.address.clone(),
            address.pool.name.clone(),
            or_dash(&services(&address.services)),
            or_dash(address.node.as_deref().unwrap_or_default()),
            or_dash(address.answered_by.as_deref().unwrap_or_default()),
            announced.to_owned(),
            or_dash(&address.trouble.join(",")),
        ]
    });
    let header = [
        "ADDRESS",
        "POOL",
        "SERVICE",
        "NODE",
        "ANSWERED BY",
        "ANNOUNCED",
        "TROUBLE",
    ];
    table(&header, rows)
}

fn services(services: &[String]) -> String {
    let named: Vec<&str> = services.iter().take(SERVICES).map(String::as_str).collect();
    match services.len().saturating_sub(SERVICES) {
        0 => named.join(","),
        more => format!("{},+{more}", named.join(",")),
    }
}
