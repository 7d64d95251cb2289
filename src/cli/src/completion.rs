//! Shell completion, as a script and as kubectl asks for it.

use clap::{Command, CommandFactory};
use clap_complete::generate;

use crate::args::{Cli, CompleteArguments, CompletionArguments};
use crate::output::Output;

/// Writes the script for a shell.
pub(crate) fn run(arguments: &CompletionArguments, out: &mut Output) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    let mut command = Cli::command().bin_name("kubectl-mooring");
    generate(
        arguments.shell,
        &mut command,
        "kubectl-mooring",
        &mut script,
    );
    out.bytes(&script)?;
    Ok(0)
}

/// Writes the candidates for the last word, in the form of cobra's protocol: one per line, then `:` and a directive
/// (4: no file names).
pub(crate) fn candidates(arguments: &CompleteArguments, out: &mut Output) -> anyhow::Result<u8> {
    let mut command = Cli::command();
    command.build();
    for candidate in complete(&command, &arguments.words) {
        out.line(&candidate)?;
    }
    out.line(":4")?;
    Ok(0)
}

fn complete(root: &Command, words: &[String]) -> Vec<String> {
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", words),
    };
    let mut command = root;
    for word in before {
        if let Some(verb) = command.find_subcommand(word) {
            command = verb;
        }
    }
    let mut candidates: Vec<String> = if last.starts_with('-') {
        command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
            .filter_map(|argument| argument.get_long())
            .map(|long| format!("--{long}"))
            .collect()
    } else {
        let values = before
            .last()
            .and_then(|word| word.strip_prefix("--"))
            .and_then(|long| {
                command
                    .get_arguments()
                    .find(|argument| argument.get_long() == Some(long))
            })
            .or_else(|| command.get_positionals().next())
            .map(|argument| argument.get_possible_values());
        let verbs = command
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
            .map(|verb| verb.get_name().to_owned());
        values
            .into_iter()
            .flatten()
            .map(|value| value.get_name().to_owned())
            .chain(verbs)
            .collect()
    };
    candidates.retain(|candidate| candidate.starts_with(last));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_gets_verbs_flags_and_values() {
        let mut command = Cli::command();
        command.build();
        let complete = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            super::complete(&command, &words)
        };
        assert_eq!(complete(&["ch"]), ["check"]);
        assert_eq!(complete(&["ex"]), ["explain"]);
        assert_eq!(complete(&["explain", "web", "--out"]), ["--output"]);
        assert_eq!(complete(&["explain", "web", "--output", "y"]), ["yaml"]);
        assert_eq!(complete(&["explain", "w"]), Vec::<String>::new());
        assert_eq!(complete(&["status", "--al"]), ["--all"]);
        assert_eq!(complete(&["strict-arp", "e"]), ["edit"]);
        assert_eq!(complete(&["fix", "--dr"]), ["--dry-run"]);
        assert_eq!(complete(&["check", "--output", "j"]), ["json"]);
        assert_eq!(complete(&["completion", "ba"]), ["bash"]);
        assert!(!complete(&[""]).contains(&"__complete".to_owned()));
    }
}
