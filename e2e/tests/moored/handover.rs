//! Planned moves of addresses from one living node to another.

use std::net::IpAddr;
use std::time::Duration;

use super::{Scene, addresses};

/// Requests per second to each address.
const RATE: u32 = 200;
/// How many moves of each address.
const MOVES: usize = 5;
/// How long nobody may seem to answer: the watcher asks every few milliseconds, and the machine is shared.
const SILENCE: Duration = Duration::from_millis(500);

impl Scene<'_> {
    /// Moves both addresses from node to node under load: at no moment do two answer, and no request fails. Those under
    /// way when an address moves go on at the node that it leaves.
    #[track_caller]
    pub(crate) fn hand_over(&self) {
        let mooring = &self.mooring;
        let begin = self.watcher.now();
        let clients = addresses().map(|address| mooring.ask_steadily(address, RATE));
        for _ in 0..MOVES {
            for address in addresses() {
                self.move_on(address);
            }
            mooring.let_pass(Duration::from_secs(1));
        }
        for (address, client) in addresses().into_iter().zip(clients) {
            let report = client.end();
            mooring.expect_none_failed(address, &report);
            let story = self.watcher.story(address).unwrap().since(begin);
            mooring.print(&story);
            assert_eq!(story.overlaps(), [], "{story}");
            assert!(story.longest_silence() < SILENCE, "{story}");
        }
    }

    /// Has another node have an address: the next by its name.
    #[track_caller]
    fn move_on(&self, address: IpAddr) {
        let mooring = &self.mooring;
        let from = mooring.wait_until_held(address).node;
        let nodes = self.cluster.nodes();
        let at = nodes.iter().position(|node| *node == from).unwrap();
        let to = &nodes[(at + 1) % nodes.len()];
        let moved = self
            .cluster
            .mooring(&["move", &address.to_string(), "--to", to]);
        println!("  {}", moved.expect_code(0).stdout.trim());
        assert_eq!(mooring.wait_until_held(address).node, *to);
    }
}
