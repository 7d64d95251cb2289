//! The operator's shell, which can be killed between any two of its acts.

use std::collections::VecDeque;

use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::run::{
    Action, Made, Phase, Run, StepInput, Surroundings, Wanted, assess_for, step,
};
use mooring_core::remediation::{Note, Patch};

use crate::world::{Look, World};

/// A cluster with its persisted run, and operators that act on it.
pub(crate) struct Bed {
    pub(crate) world: World,
    pub(crate) wanted: Wanted,
    pub(crate) surroundings: Surroundings,
    /// The run in the ServiceProxy's status, with its `resourceVersion`.
    pub(crate) stored: (Option<Run>, u32),
    pub(crate) notes: Vec<Note>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) status_writes: usize,
    pub(crate) restores: usize,
    /// Acts so far, and those before which the operator is killed.
    pub(crate) acts: usize,
    pub(crate) kills: Vec<usize>,
    /// A second operator looks that many seconds late, and believes to be the leader.
    pub(crate) late: Option<usize>,
    observing_since: i64,
    /// What the operator that is not late remembers.
    made: Vec<Made>,
    past: VecDeque<(Look, (Option<Run>, u32))>,
}

impl Bed {
    pub(crate) fn of(world: World) -> Self {
        Self {
            observing_since: world.now,
            world,
            wanted: Wanted::default(),
            surroundings: Surroundings::default(),
            stored: (None, 0),
            notes: Vec::new(),
            phases: Vec::new(),
            status_writes: 0,
            restores: 0,
            acts: 0,
            kills: Vec::new(),
            late: None,
            made: Vec::new(),
            past: VecDeque::new(),
        }
    }

    pub(crate) fn run(&self) -> &Run {
        self.stored.0.as_ref().expect("a run")
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        self.stored.0.as_ref().map(|run| run.phase)
    }

    /// Runs until the condition holds, and checks at each second what must always hold.
    pub(crate) fn until(&mut self, what: &str, seconds: usize, done: impl Fn(&Self) -> bool) {
        for _ in 0..seconds {
            if done(self) {
                return;
            }
            self.second();
        }
        panic!("not within {seconds} s: {what}; {:#?}", self.stored.0);
    }

    pub(crate) fn pass(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second();
        }
    }

    /// Nobody sees or writes anything for so long: nodes go on, objects stay as they are.
    pub(crate) fn outage(&mut self, seconds: i64) {
        self.world.now += seconds;
        self.observing_since = self.world.now;
    }

    pub(crate) fn second(&mut self) {
        let look = self.world.look();
        if let Some(late) = self.late {
            self.past.push_back((look.clone(), self.stored.clone()));
            if self.past.len() > late {
                let (look, stored) = self.past.pop_front().expect("an old look");
                let remembered = std::mem::take(&mut self.made);
                self.operate(&look, stored);
                self.made = remembered;
            }
        }
        let stored = self.stored.clone();
        if !self.operate(&look, stored) {
            self.observing_since = self.world.now;
            self.made.clear();
        }
        self.world.tick();
        self.check();
    }

    /// Nobody is ever restarted before the canary is verified, and never more than allowed are down by us.
    fn check(&self) {
        let ours: Vec<String> = self
            .world
            .down()
            .into_iter()
            .filter(|node| self.world.deletions_of(node) > 0)
            .collect();
        let allowed = self
            .wanted
            .max_unavailable
            .map_or(1, |wanted| wanted.of(self.world.names().len()));
        // On the way back, what cannot start at all does not keep the others on the edited text.
        let hopeless = match self.phase() {
            Some(Phase::RollingBack | Phase::RolledBack) => self.world.imageless(),
            _ => 0,
        };
        let allowed = allowed + hopeless;
        assert!(
            ours.len() <= allowed,
            "down: {ours:?} at {:?}",
            self.stored.0
        );
    }

    /// One act, unless the operator is killed before it.
    fn lives(&mut self) -> bool {
        self.acts += 1;
        !self.kills.contains(&(self.acts - 1))
    }

    /// One look of one operator; false if it was killed.
    fn operate(&mut self, look: &Look, (run, version): (Option<Run>, u32)) -> bool {
        let assessment = assess_for(&look.seen, &look.nodes, &self.wanted);
        let decided = step(&StepInput {
            wanted: &self.wanted,
            seen: &look.seen,
            assessment: &assessment,
            nodes: &look.nodes,
            surroundings: &self.surroundings,
            run: run.as_ref(),
            made: &self.made,
            now: Timestamp::from_unix_seconds(self.world.now),
            observing_since: Timestamp::from_unix_seconds(self.observing_since),
        });
        if decided.run != run {
            if !self.lives() {
                return false;
            }
            if version != self.stored.1 {
                return true;
            }
            let phase = decided.run.as_ref().map(|run| run.phase);
            self.stored = (decided.run, version + 1);
            self.status_writes += 1;
            if let Some(phase) = phase
                && self.phases.last() != Some(&phase)
            {
                self.phases.push(phase);
            }
            self.notes.extend(decided.notes);
        } else {
            assert!(decided.notes.is_empty(), "{:?}", decided.notes);
        }
        for action in &decided.actions {
            if !self.lives() {
                return false;
            }
            match action {
                Action::Patch(patch) => {
                    if self.world.patch(patch) {
                        self.made.push(Made {
                            location: patch.location.clone(),
                            planned_on: patch.resource_version.clone(),
                            time: Timestamp::from_unix_seconds(self.world.now),
                        });
                    }
                }
                Action::Restore(patch) => self.restore(patch),
                Action::DeletePod(pod) => {
                    self.world.delete(pod);
                }
            }
        }
        self.lives()
    }

    fn restore(&mut self, patch: &Patch) {
        if self.world.patch(patch) {
            self.restores += 1;
        }
    }
}
