//! What a container tells kube-proxy on its command line.
//!
//! Containers name the program in `command`, in `args`, behind a log wrapper or inside a shell script; the flags follow
//! the rules of Go's pflag (`--flag=value`, `--flag value`, a bare boolean means true, the last one wins, `_` is `-`).
//! With `--config` the file replaces everything that the other flags say, mode and strictARP included.

use crate::proxy_mode::{ProxyMode, UnknownMode};

use super::snapshot::Container;

/// The flags of one kube-proxy that decide where its configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandLine {
    /// `--config`, with the container's own literal variables filled in.
    pub config: Option<String>,
    /// `--proxy-mode`, which counts only without `--config`.
    pub proxy_mode: Option<String>,
    /// `--ipvs-strict-arp`, which counts only without `--config`.
    pub ipvs_strict_arp: Option<String>,
}

/// What kube-proxy runs with when it has no `--config`: flags only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flags {
    /// `--proxy-mode`; `Ok(None)` leaves the choice to kube-proxy's default.
    pub mode: Result<Option<ProxyMode>, UnknownMode>,
    /// `--ipvs-strict-arp`; the text where it is no boolean, with which kube-proxy does not start.
    pub strict_arp: Result<bool, String>,
}

// === impl CommandLine ===

impl CommandLine {
    /// Reads the command line of a container, or `None` where nothing in it runs kube-proxy.
    ///
    /// A container without `command` runs its image's entry point; with arguments that are all flags, that entry point
    /// is taken to be kube-proxy if the image is.
    pub fn of(container: &Container) -> Option<Self> {
        let words: Vec<String> = container
            .command
            .iter()
            .chain(&container.args)
            .map(|word| expand(word, container))
            .collect();
        if let Some(script) = shell_script(&words) {
            return simple_commands(script)
                .iter()
                .filter_map(|command| arguments_of_kube_proxy(command))
                .map(|arguments| Self::parse(&arguments))
                .next_back();
        }
        if let Some(arguments) = arguments_of_kube_proxy(&words) {
            return Some(Self::parse(&arguments));
        }
        let entry_point_is_kube_proxy = container.command.is_empty()
            && image_name(&container.image) == "kube-proxy"
            && container.args.iter().all(|word| word.starts_with('-'));
        entry_point_is_kube_proxy.then(|| Self::parse(&words))
    }

    /// Reads kube-proxy's arguments, without the program.
    pub fn parse(arguments: &[String]) -> Self {
        let mut line = Self::default();
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            let Some(flag) = word.strip_prefix("--") else {
                continue;
            };
            let (name, inline) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            let mut value = || match inline {
                Some(value) => value.to_owned(),
                None => words.next().unwrap_or_default().to_owned(),
            };
            match name.replace('_', "-").as_str() {
                "config" => line.config = Some(value()).filter(|path| !path.is_empty()),
                "proxy-mode" => line.proxy_mode = Some(value()),
                "ipvs-strict-arp" => {
                    line.ipvs_strict_arp = Some(inline.unwrap_or("true").to_owned());
                }
                _ => {}
            }
        }
        line
    }

    /// What the flags say, for a command line without `--config`.
    pub fn flags(&self) -> Flags {
        Flags {
            mode: match self.proxy_mode.as_deref() {
                None | Some("") => Ok(None),
                Some(mode) => mode.parse().map(Some),
            },
            strict_arp: match self.ipvs_strict_arp.as_deref() {
                None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
                Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
                Some(other) => Err(other.to_owned()),
            },
        }
    }

    /// The flags that are given next to `--config` and that kube-proxy therefore ignores.
    pub fn ignored(&self) -> Vec<String> {
        if self.config.is_none() {
            return Vec::new();
        }
        let flag = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("--{name}={value}"))
        };
        [
            flag("proxy-mode", &self.proxy_mode),
            flag("ipvs-strict-arp", &self.ipvs_strict_arp),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The last part of an image's repository: `registry.k8s.io/kube-proxy:v1.35.4@sha256:...` is `kube-proxy`.
pub(crate) fn image_name(image: &str) -> &str {
    let repository = image.split('@').next().unwrap_or_default();
    let last = repository.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

/// The words after the program kube-proxy: itself, behind a wrapper (`go-runner ... kube-proxy`), or as a subcommand of
/// hyperkube.
fn arguments_of_kube_proxy(words: &[String]) -> Option<Vec<String>> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let program = words.iter().position(|word| {
        let name = base(word);
        !word.starts_with('-') && (name == "kube-proxy" || name == "kube-proxy.exe")
    });
    let program = program.or_else(|| {
        let hyperkube = words.iter().position(|word| base(word) == "hyperkube")?;
        (words.get(hyperkube + 1)? == "proxy").then_some(hyperkube + 1)
    })?;
    Some(words[program + 1..].to_vec())
}

/// The script of `sh -c SCRIPT`, whatever the shell is called and whatever other letters share the option.
fn shell_script(words: &[String]) -> Option<&str> {
    const SHELLS: [&str; 6] = ["sh", "bash", "ash", "dash", "busybox", "zsh"];
    let shell = words.first()?.rsplit('/').next().unwrap_or_default();
    if !SHELLS.contains(&shell) {
        return None;
    }
    let option =
        words.iter().skip(1).position(|word| {
            word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
        })? + 1;
    words.get(option + 1).map(String::as_str)
}

/// The simple commands of a shell script: words between separators, with quotes removed. Control structures come out as
/// commands that start with their keyword, which does no harm here: only the program's name is looked for.
fn simple_commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(characters.by_ref().take_while(|quoted| *quoted != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(quoted) = characters.next() {
                    match quoted {
                        '"' => break,
                        '\\' => word.extend(characters.next()),
                        _ => word.push(quoted),
                    }
                }
            }
            '#' if word.is_none() => while characters.next_if(|rest| *rest != '\n').is_some() {},
            separator if separator.is_whitespace() || ";&|()".contains(separator) => {
                let command = commands.last_mut().expect("invariant: starts with one");
                command.extend(word.take());
                if !matches!(separator, ' ' | '\t') && !command.is_empty() {
                    commands.push(Vec::new());
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    let command = commands.last_mut().expect("invariant: starts with one");
    command.extend(word);
    commands
}

/// Kubernetes' own `$(NAME)` in `command` and `args`, for variables with a literal value; others stay as they are.
/// `$$(NAME)` is the escaped form.
fn expand(word: &str, container: &Container) -> String {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest
            .strip_prefix("$(")
            .and_then(|tail| tail.split_once(')'));
        if let Some(tail) = rest.strip_prefix("$$") {
            expanded.push('$');
            rest = tail;
        } else if let Some((name, tail)) = name
            && let Some(Some(value)) = container.env.get(name)
        {
            expanded.push_str(value);
            rest = tail;
        } else {
            expanded.push('$');
            rest = &rest[1..];
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
#[path = "command_line/tests.rs"]
mod tests;
