//! What a failed test shows.

use super::{Mooring, NAMESPACE};

/// What is asked, in the order in which it helps.
const QUESTIONS: &[&[&str]] = &[
    &["get", "serviceproxy,nodeproxystates", "-o", "wide"],
    &["describe", "serviceproxy", "cluster"],
    &["get", "services", "-A", "-o", "wide"],
    &["get", "externalips.mooring.dev", "-o", "yaml"],
    &["get", "externalippools.mooring.dev", "-o", "yaml"],
    &["get", "pods", "-A", "-o", "wide"],
    &["-n", NAMESPACE, "describe", "pods"],
    &[
        "get",
        "events",
        "-A",
        "--sort-by=.metadata.creationTimestamp",
    ],
];

/// Of each log.
const LAST_LINES: &str = "--tail=60";

impl Mooring<'_> {
    /// The whole story, for a failure's text.
    pub(crate) fn report(&self) -> String {
        let mut report = String::new();
        for question in QUESTIONS {
            self.ask(&mut report, question);
        }
        for pod in self.operators().iter().chain(&self.agents()) {
            self.ask(
                &mut report,
                &["-n", NAMESPACE, "logs", &pod.name, LAST_LINES],
            );
            if pod.restarts > 0 {
                let previous = ["-n", NAMESPACE, "logs", &pod.name, LAST_LINES, "--previous"];
                self.ask(&mut report, &previous);
            }
        }
        report
    }

    fn ask(&self, report: &mut String, arguments: &[&str]) {
        let answer = self
            .bed
            .kubectl(arguments)
            .unwrap_or_else(|error| error.to_string());
        *report += &format!("--- kubectl {}\n{answer}\n", arguments.join(" "));
    }
}
