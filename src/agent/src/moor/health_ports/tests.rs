use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A server that gives every question this answer; its port.
fn server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut question = [0; 1024];
            let length = stream.read(&mut question).unwrap();
            let question = String::from_utf8_lossy(&question[..length]).into_owned();
            assert!(question.starts_with("GET /healthz "), "{question}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

/// A port on which nobody listens.
fn closed() -> u16 {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn only_who_says_that_a_service_cannot_be_reached_is_believed() {
    let no = server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    let yes = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let other = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let babble = server("what?\r\n\r\n");
    let ports = BTreeSet::from([no, yes, other, babble, closed()]);
    let asker = HealthPorts::new().unwrap();
    assert_eq!(asker.unhealthy(&ports, &[HERE]), BTreeSet::from([no]));
}

#[test]
fn who_does_not_listen_on_the_first_address_may_listen_on_the_next() {
    let no = server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    let elsewhere: IpAddr = "127.0.0.2".parse().unwrap();
    let asker = HealthPorts::new().unwrap();
    let ports = BTreeSet::from([no]);
    assert_eq!(asker.unhealthy(&ports, &[elsewhere, HERE]), ports);
    assert!(asker.unhealthy(&ports, &[elsewhere]).is_empty());
}

#[test]
fn who_does_not_answer_is_not_waited_for_long() {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asker = HealthPorts::new().unwrap();
    assert!(asker.unhealthy(&BTreeSet::from([port]), &[HERE]).is_empty());
}
