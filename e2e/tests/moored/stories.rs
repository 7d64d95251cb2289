//! A test of several stories on one bed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plugin::tell;

/// What happens, and the function that makes it happen on a scene.
pub(crate) type Tale<S> = (&'static str, fn(&S));

/// Tells all stories, in their order, also after one that failed, as a bed is dear; fails if one did.
#[track_caller]
pub(crate) fn tell_all<S>(about: &str, stories: &[Tale<S>], scene: &S) {
    let mut failed = Vec::new();
    for (story, run) in stories {
        let name = format!("{about}{story}");
        let told = catch_unwind(AssertUnwindSafe(|| tell(&name, || run(scene))));
        if told.is_err() {
            println!("{name}: FAILED");
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}
