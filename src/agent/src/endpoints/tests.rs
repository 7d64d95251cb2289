use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server whose answers are bytes, by path; it counts the questions.
struct Server {
    address: String,
    answers: Arc<Mutex<BTreeMap<&'static str, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            answers: Arc::default(),
            asked: Arc::default(),
        };
        let (answers, asked) = (Arc::clone(&server.answers), Arc::clone(&server.asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    let mut bytes = [0; 512];
                    let count = stream.read(&mut bytes).await.unwrap();
                    request.extend_from_slice(&bytes[..count]);
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap().to_owned();
                let answer = answers.lock().unwrap().get(path.as_str()).cloned();
                asked.lock().unwrap().push(path);
                let answer = answer.unwrap_or_else(|| http(404, b"404 page not found\n"));
                // Whoever has read enough hangs up.
                let _ = stream.write_all(&answer).await;
            }
        });
        server
    }

    fn says(&self, path: &'static str, body: &[u8]) {
        self.sends(path, http(200, body));
    }

    fn sends(&self, path: &'static str, bytes: Vec<u8>) {
        self.answers.lock().unwrap().insert(path, bytes);
    }

    fn asked(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|other| *other == path).count()
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            metrics: self.address.clone(),
            healthz: self.address.clone(),
        }
    }
}

fn http(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn ok(body: &str) -> Answer {
    Answer::Http {
        status: 200,
        body: body.to_owned(),
    }
}

#[tokio::test]
async fn an_answer_has_its_status_and_body() {
    let server = Server::start().await;
    server.says("/proxyMode", b"ipvs");
    assert_eq!(get(&server.address, "/proxyMode").await, ok("ipvs"));
    let missing = Answer::Http {
        status: 404,
        body: "404 page not found\n".to_owned(),
    };
    assert_eq!(get(&server.address, "/nothing").await, missing);
}

#[tokio::test]
async fn a_long_body_is_cut_and_bytes_that_are_no_text_are_replaced() {
    let server = Server::start().await;
    server.says("/metrics", &vec![b'a'; LONGEST_BODY + 1000]);
    let Answer::Http { body, .. } = get(&server.address, "/metrics").await else {
        panic!("no answer");
    };
    assert_eq!(body.len(), LONGEST_BODY);
    server.says("/metrics", b"a\xffb");
    assert_eq!(get(&server.address, "/metrics").await, ok("a\u{fffd}b"));
}

#[tokio::test]
async fn where_nothing_listens_the_question_is_refused() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    assert_eq!(get(&address, "/proxyMode").await, Answer::Refused);
}

#[tokio::test]
async fn what_is_not_http_and_what_is_no_address_fail_with_a_reason() {
    let server = Server::start().await;
    server.sends("/proxyMode", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    for address in [&server.address, "nowhere", "[::1"] {
        let answer = get(address, "/proxyMode").await;
        assert!(
            matches!(&answer, Answer::Failed(_)),
            "{address}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_no_more_than_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let began = std::time::Instant::now();
    let answer = get(&address, "/proxyMode").await;
    assert_eq!(answer, Answer::Failed("no answer within 2 s".to_owned()));
    assert!(began.elapsed() < 2 * PATIENCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn metrics_are_asked_again_only_when_the_process_may_be_another() {
    let server = Server::start().await;
    server.says("/proxyMode", b"ipvs");
    server.says("/configz", b"{}");
    server.says("/metrics", b"kubernetes_build_info 1");
    server.says("/healthz", b"{}");
    let mut asker = Asker::default();
    for _ in 0..3 {
        let endpoints = asker.ask(&server.addresses()).await;
        assert_eq!(endpoints.metrics, ok("kubernetes_build_info 1"));
        assert_eq!(endpoints.metrics_address, server.address);
    }
    assert_eq!(server.asked("/metrics"), 1);
    assert_eq!(server.asked("/proxyMode"), 3);
    assert_eq!(server.asked("/healthz"), 3);
    server.says("/configz", b"{\"mode\":\"ipvs\"}");
    asker.ask(&server.addresses()).await;
    assert_eq!(server.asked("/metrics"), 2, "another configuration");
    asker.forget();
    asker.ask(&server.addresses()).await;
    assert_eq!(server.asked("/metrics"), 3, "another process");
}

#[tokio::test]
async fn metrics_that_failed_are_asked_again() {
    let server = Server::start().await;
    server.says("/proxyMode", b"ipvs");
    let mut asker = Asker::default();
    asker.ask(&server.addresses()).await;
    asker.ask(&server.addresses()).await;
    assert_eq!(server.asked("/metrics"), 2);
}
