//! What a machine is doing that does not come to the end of a command: for the error that says so.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::layout;

/// Header of a request to User Mode Linux's management console, and the room for its text (arch/um/drivers/mconsole.h).
const MAGIC: u32 = 0xcafe_babe;
const VERSION: u32 = 2;
const TEXT: usize = 512;
/// Header of an answer: error, more to come, length.
const ANSWER_HEADER: usize = 12;

/// Shell script that shows, of a command by its id, all processes below it: state, where the kernel waits, command line.
pub(super) fn script(id: &str) -> String {
    format!(
        "show() {{
           p=/proc/$1
           read -r all <$p/stat || return
           rest=${{all##*) }}
           echo \"$2$1 ${{rest%% *}} $(cat $p/wchan 2>/dev/null): $(tr '\\0\\n' '  ' <$p/cmdline | cut -c1-160)\"
           for child in $(grep -lsx \"PPid:[[:space:]]*$1\" /proc/[0-9]*/status | cut -d/ -f3); do show $child \"$2  \"; done
         }}
         for found in $(grep -lsF /tb/x/{id}.cmd /proc/[0-9]*/cmdline | cut -d/ -f3); do show $found '  '; done
         cat /proc/loadavg"
    )
}

/// Whether the kernel of a node answers its management console, which tasks are blocked, and what the host says of its
/// process.
pub(super) fn kernel(name: &str, process: i32) -> String {
    let console = layout::uml().join(name).join("mconsole");
    let asked = |what: &str| match ask(&console, what) {
        Ok(answer) => answer.trim().replace('\n', "\n  "),
        Err(error) => format!("no answer ({error:#})"),
    };
    let host = |file: &str| {
        let text = fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
        text.trim().to_owned()
    };
    format!(
        "its kernel: {}\n  {}\n  on the host: state and times {}, waits in {:?}",
        asked("version"),
        asked("sysrq w"),
        host("stat")
            .split(") ")
            .last()
            .unwrap_or_default()
            .split(' ')
            .take(13)
            .collect::<Vec<_>>()
            .join(" "),
        host("wchan"),
    )
}

fn ask(console: &Path, what: &str) -> Result<String> {
    // The kernel is in another network namespace, so that an abstract address would not be seen.
    let own = console.with_file_name("diagnosis");
    let _ = fs::remove_file(&own);
    let socket = UnixDatagram::bind(&own).with_context(|| own.display().to_string())?;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    let mut request = Vec::new();
    for number in [MAGIC, VERSION, u32::try_from(what.len())?] {
        request.extend(number.to_ne_bytes());
    }
    request.extend(what.as_bytes());
    request.resize(ANSWER_HEADER + TEXT, 0);
    socket.send_to(&request, console)?;
    let mut all = String::new();
    loop {
        let mut answer = [0; 4096];
        let length = socket.recv(&mut answer)?;
        let Some((header, text)) = answer[..length].split_at_checked(ANSWER_HEADER) else {
            bail!("an answer of {length} bytes");
        };
        let text = String::from_utf8_lossy(text);
        all.push_str(text.trim_end_matches('\0'));
        if header[4..8] == [0; 4] {
            return Ok(all);
        }
    }
}
