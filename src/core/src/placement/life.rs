//! What a Node object says about whether its node lives, and which of its changes are signs of a death.

use crate::kube_proxy::snapshot::Timestamp;

/// Whether a node lives, as Kubernetes sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Life {
    /// Since when its kubelet has not been heard of (`Ready` is `Unknown`), if so.
    pub silent_since: Option<Timestamp>,
    /// The boot that it runs since; empty if that is not said.
    pub boot: String,
    /// It was said beforehand that it goes, so that it does not die: it is drained, cordoned or shut down.
    pub farewell: bool,
    /// When it was seen to run since another boot, though nothing had been heard of that.
    pub restarted: Option<Timestamp>,
}

impl Life {
    /// Takes over what only whoever looked `before` can know. A farewell lasts until the node is ready again.
    pub fn follow(&mut self, before: &Self, ready: bool, now: Timestamp) {
        let booted = !self.boot.is_empty() && !before.boot.is_empty() && self.boot != before.boot;
        let noticed = before.farewell || before.silent_since.is_some();
        self.restarted = if booted && !noticed && !self.farewell {
            Some(now)
        } else {
            before.restarted
        };
        self.farewell |= before.farewell && !ready;
    }

    /// When it seems to have died. What was said beforehand is no death.
    pub fn signs(&self) -> impl Iterator<Item = Timestamp> {
        let silent = self.silent_since.filter(|_| !self.farewell);
        silent.into_iter().chain(self.restarted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(second)
    }

    fn life(boot: &str) -> Life {
        Life {
            boot: boot.to_owned(),
            ..Life::default()
        }
    }

    /// The signs that are seen of these looks, the last one at second 100.
    fn signs(looks: &[(Life, bool)]) -> Vec<Timestamp> {
        let mut before: Option<Life> = None;
        for (number, (look, ready)) in looks.iter().enumerate() {
            let mut now = look.clone();
            if let Some(before) = &before {
                let second =
                    101 + i64::try_from(number).unwrap() - i64::try_from(looks.len()).unwrap();
                now.follow(before, *ready, at(second));
            }
            before = Some(now);
        }
        before.unwrap().signs().collect()
    }

    #[test]
    fn a_node_dies_when_nothing_is_heard_of_it_or_when_it_boots_out_of_the_blue() {
        let silent = |boot: &str| Life {
            silent_since: Some(at(40)),
            ..life(boot)
        };
        assert_eq!(signs(&[(life("a"), true)]), []);
        assert_eq!(signs(&[(life("a"), true), (silent("a"), false)]), [at(40)]);
        assert_eq!(
            signs(&[(silent("a"), false)]),
            [at(40)],
            "by a new operator"
        );
        assert_eq!(signs(&[(life("a"), true), (life("b"), true)]), [at(100)]);
        assert_eq!(
            signs(&[(life("a"), true), (silent("a"), false), (life("b"), true)]),
            [],
            "it was silent before, which was told then"
        );
        assert_eq!(signs(&[(life(""), true), (life("b"), true)]), []);
        // It is kept until it is recorded.
        let looks = [(life("a"), true), (life("b"), true), (life("b"), true)];
        assert_eq!(signs(&looks), [at(99)]);
    }

    #[test]
    fn who_says_farewell_does_not_die_until_it_is_back() {
        let leaves = Life {
            farewell: true,
            ..life("a")
        };
        let silent = Life {
            silent_since: Some(at(40)),
            ..life("a")
        };
        let gone = [
            (life("a"), true),
            (leaves.clone(), false),
            (silent.clone(), false),
        ];
        assert_eq!(signs(&gone), []);
        let mut back = gone.to_vec();
        back.push((life("b"), true));
        assert_eq!(signs(&back), []);
        let silent = Life {
            boot: "b".to_owned(),
            ..silent
        };
        back.push((silent, false));
        assert_eq!(signs(&back), [at(40)], "the next time it says nothing");
        assert_eq!(signs(&[(leaves, true), (life("b"), true)]), []);
    }
}
