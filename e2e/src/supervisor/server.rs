//! Answers requests on the control socket, each connection on a thread of its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::machine::Finished;
use super::world::World;
use crate::protocol::{Reply, Request};

/// Serves until [`Request::Down`], which ends the process and with it the bed.
pub(super) fn serve(world: &Arc<World>, listener: &UnixListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        let world = Arc::clone(world);
        thread::spawn(move || {
            // A client that goes away in the middle is its own affair.
            let _ = answer_all(&world, &stream);
        });
    }
}

fn answer_all(world: &World, stream: &UnixStream) -> Result<()> {
    let mut out = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let (reply, body) =
            match serde_json::from_str(&line).context("not a request of this version of testbed") {
                Ok(Request::Down) => {
                    send(&mut out, &Reply::Done, &[])?;
                    std::process::exit(0);
                }
                Ok(request) => answer(world, request)
                    .unwrap_or_else(|error| (Reply::Failed(format!("{error:#}")), Vec::new())),
                Err(error) => (Reply::Failed(format!("{error:#}")), Vec::new()),
            };
        send(&mut out, &reply, &body)?;
    }
    Ok(())
}

fn send(out: &mut UnixStream, reply: &Reply, body: &[u8]) -> Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    line.extend_from_slice(body);
    out.write_all(&line)?;
    Ok(())
}

fn answer(world: &World, request: Request) -> Result<(Reply, Vec<u8>)> {
    let reply = match request {
        Request::Status => Reply::Status(Box::new(world.status())),
        Request::Exec {
            node,
            script,
            timeout,
        } => {
            let Finished {
                status,
                mut stdout,
                stderr,
            } = world
                .machine(&node)?
                .exec(&script, Duration::from_secs(timeout))?;
            let reply = Reply::Output {
                status,
                stdout: stdout.len(),
                stderr: stderr.len(),
            };
            stdout.extend(stderr);
            return Ok((reply, stdout));
        }
        Request::Kill(node) => done(world.machine(&node)?.kill())?,
        Request::Freeze(node) => done(world.machine(&node)?.freeze())?,
        Request::Thaw(node) => done(world.machine(&node)?.thaw())?,
        Request::Boot(node) => Reply::Took(world.boot(&node)?.as_secs_f64()),
        Request::Stop(process) => done(world.stop(&process))?,
        Request::Start(process) => Reply::Took(world.start_again(&process)?.as_secs_f64()),
        Request::Cut(pairs) => done(world.cut(pairs))?,
        Request::Heal => done(world.heal())?,
        Request::ClientAdd(name) => done(world.add_client(&name))?,
        Request::LoadImage(path) => done(world.load_image(path.as_ref()))?,
        Request::Down => Reply::Done,
    };
    Ok((reply, Vec::new()))
}

fn done(result: Result<()>) -> Result<Reply> {
    result.map(|()| Reply::Done)
}
