//! Questions to kube-proxy's endpoints on the node's loopback.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mooring_core::node::Addresses;
use mooring_core::proxy_mode::{Answer, Endpoints};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long one question may take. On the loopback an answer takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where a body is cut, in bytes.
const LONGEST_BODY: usize = 4 << 20;
/// `/metrics` tells version and start of the process. It is the one long answer, so it is asked again only when the
/// process may be another one, and now and then for a process that came back with the same configuration in no time.
const METRICS_AGE: Duration = Duration::from_secs(60);

/// Asks the endpoints, and remembers what need not be asked again.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    last: Option<(Endpoints, Instant)>,
}

// === impl Asker ===

impl Asker {
    /// Asks all of them at once.
    pub(crate) async fn ask(&mut self, at: &Addresses) -> Endpoints {
        let (proxy_mode, configz, healthz) = futures::join!(
            get(&at.metrics, "/proxyMode"),
            get(&at.metrics, "/configz"),
            get(&at.healthz, "/healthz"),
        );
        let metrics = self
            .last
            .take()
            .filter(|(last, asked)| {
                last.metrics_address == at.metrics
                    && last.proxy_mode == proxy_mode
                    && last.configz == configz
                    && matches!(last.metrics, Answer::Http { status: 200, .. })
                    && asked.elapsed() < METRICS_AGE
            })
            .map(|(last, asked)| (last.metrics, asked));
        let (metrics, asked) = match metrics {
            Some(known) => known,
            None => (get(&at.metrics, "/metrics").await, Instant::now()),
        };
        let endpoints = Endpoints {
            metrics_address: at.metrics.clone(),
            healthz_address: at.healthz.clone(),
            proxy_mode,
            configz,
            metrics,
            healthz,
        };
        self.last = Some((endpoints.clone(), asked));
        endpoints
    }

    /// The process may be another one: ask everything.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

/// One question: `GET path` of a server at `address`, as in `127.0.0.1:10249`.
pub(crate) async fn get(address: &str, path: &str) -> Answer {
    match timeout(PATIENCE, exchange(address, path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(problem)) => Answer::Failed(problem),
        Err(_) => Answer::Failed(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn exchange(address: &str, path: &str) -> Result<Answer, String> {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Ok(Answer::Refused);
        }
        Err(error) => return Err(format!("cannot connect: {error}")),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| no_http(&error))?;
    let request = Request::get(path)
        .header(HOST, address)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("{address} is no address to ask: {error}"))?;
    let answer = async move {
        let response = sender.send_request(request).await;
        read(response.map_err(|error| no_http(&error))?).await
    };
    // The connection has to be driven while the answer is waited for; it may end before the last of the body is taken.
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, String> {
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the answer breaks off: {error}"))?;
        let data = frame.data_ref().map_or(&[] as &[u8], |data| data.as_ref());
        let room = LONGEST_BODY - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if bytes.len() == LONGEST_BODY {
            break;
        }
    }
    let body = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Answer::Http { status, body })
}

fn no_http(error: &hyper::Error) -> String {
    format!("what listens there does not answer in HTTP: {error}")
}

#[cfg(test)]
mod tests;
