//! Verbs that look, and those that hand over to another program.
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _, stdout};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use testbed::Bed;
use testbed::spec::{Depth, Name};

pub(super) fn status() -> Result<ExitCode> {
    let (names, mut out) = (Bed::all()?, String::new());
    if names.is_empty() {
        writeln!(out, "no bed is up")?;
    }
    for name in names {
        let status = Bed::find(&name)?.status()?;
        let depth = match status.spec.depth {
            Depth::Full => "full",
            Depth::Light => "light",
        };
        writeln!(
            out,
            "{name}: {depth}, kube-proxy {} with strictARP {:?}",
            status.spec.proxy.as_str(),
            status.spec.strict_arp
        )?;
        for node in &status.nodes {
            let host = &node.host;
            writeln!(
                out,
                "  {:8} {:12} {:12} {}  {:?}",
                host.name,
                host.ipv4(),
                host.ipv6(),
                host.mac(),
                node.power
            )?;
        }
        for client in &status.clients {
            writeln!(
                out,
                "  {:8} {:12} {:12} {}  client",
                client.name,
                client.ipv4(),
                client.ipv6(),
                client.mac()
            )?;
        }
        for (from, to) in &status.cuts {
            writeln!(out, "  cut: nothing passes from {from} to {to}")?;
        }
    }
    show(&out)
}

pub(super) fn kubectl(name: &Name, arguments: &[String]) -> Result<ExitCode> {
    replace(Bed::find(name)?.command("cp", "kubectl").args(arguments))
}

pub(super) fn shell(name: &Name) -> Result<ExitCode> {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    replace(&mut Bed::find(name)?.command("cp", shell))
}

pub(super) fn client(name: &Name, client: &str, command: &[String]) -> Result<ExitCode> {
    let bed = Bed::find(name)?;
    if !bed.status()?.hosts().any(|host| host.name == client) {
        bail!("there is no client {client}; add it with `testbed client add {client}`");
    }
    let (program, arguments) = command.split_first().context("a command is needed")?;
    replace(bed.command(client, program).args(arguments))
}

pub(super) fn exec(name: &Name, node: &str, timeout: u64, command: &[String]) -> Result<ExitCode> {
    let script = match command {
        [script] => script.clone(),
        words => words
            .iter()
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" "),
    };
    let ran = Bed::find(name)?.exec(node, &script, Duration::from_secs(timeout))?;
    stdout().write_all(&ran.stdout)?;
    std::io::stderr().write_all(&ran.stderr)?;
    Ok(u8::try_from(ran.status).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

pub(super) fn who_answers(name: &Name, from: &str, ip: IpAddr, json: bool) -> Result<ExitCode> {
    let bed = Bed::find(name)?;
    let hosts: Vec<_> = bed.status()?.hosts().collect();
    let answers = bed.who_answers(from, ip)?;
    let name_of = |mac| {
        hosts
            .iter()
            .find(|host| host.mac() == mac)
            .map(|host| host.name.clone())
    };
    let mut out = String::new();
    if json {
        let responders: Vec<_> = answers
            .responders
            .iter()
            .map(
                |r| json!({"mac": r.mac.to_string(), "host": name_of(r.mac), "replies": r.replies}),
            )
            .collect();
        writeln!(out, "{}", json!({"target": ip, "responders": responders}))?;
        return show(&out);
    }
    match answers.responders.len() {
        0 => writeln!(out, "{ip}: nobody answers")?,
        1 => writeln!(out, "{ip}: 1 answers")?,
        more => writeln!(out, "{ip}: {more} answer")?,
    }
    for responder in &answers.responders {
        let host = name_of(responder.mac).unwrap_or_else(|| "unknown".to_owned());
        writeln!(
            out,
            "  {}  {host}  ({} replies)",
            responder.mac, responder.replies
        )?;
    }
    show(&out)
}

pub(super) fn logs(name: &Name, log: Option<&str>, follow: bool) -> Result<ExitCode> {
    let logs = Bed::find(name)?.logs()?;
    let Some(wanted) = log else {
        let mut out = String::new();
        for (name, _) in logs {
            writeln!(out, "{name}")?;
        }
        return show(&out);
    };
    let Some((_, path)) = logs.iter().find(|(name, _)| name == wanted) else {
        let names: Vec<_> = logs.into_iter().map(|(name, _)| name).collect();
        bail!("there is no log {wanted}; there are {}", names.join(", "));
    };
    let mut command = if follow {
        Command::new("tail")
    } else {
        Command::new("cat")
    };
    if follow {
        command.args(["-n", "+1", "-F"]);
    }
    replace(command.arg(path))
}

/// Prints what a verb is for. Whoever reads no further, as `head`, has seen enough.
fn show(text: &str) -> Result<ExitCode> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Becomes that program, so that terminal, signals and exit status are its own.
fn replace(command: &mut Command) -> Result<ExitCode> {
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_the_shell() {
        for word in ["plain", "two words", "it's", "$HOME `x` \"y\"", ""] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output();
            assert_eq!(
                output.map(|o| o.stdout).ok(),
                Some(word.as_bytes().to_vec())
            );
        }
    }
}
