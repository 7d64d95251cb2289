use super::*;

fn standing() -> Standing {
    let now = Instant::now();
    Standing {
        turn: now,
        looked: Some(now),
        unreachable: None,
        unsaved: None,
    }
}

fn ago(seconds: u64) -> Instant {
    Instant::now() - Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_ready_while_what_it_saw_just_now_is_in_the_api() {
    assert_eq!(standing().stale(), None);
    let mut writing = standing();
    writing.unsaved = Some((ago(3), "it is about to be written".to_owned()));
    assert_eq!(
        writing.stale(),
        None,
        "a change takes a moment to be written"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_not_ready_for_a_reason() {
    type Change = fn(&mut Standing);
    let cases: [(&str, Change); 5] = [
        ("not been looked at", |s| s.looked = None),
        ("16 s old", |s| s.looked = Some(ago(16))),
        ("for 7 s: no route", |s| {
            s.unreachable = Some((ago(7), "no route".to_owned()))
        }),
        ("NodeProxyState: 403", |s| {
            s.unsaved = Some((ago(15), "403".to_owned()))
        }),
        ("just started", |s| s.unsaved = Standing::new().unsaved),
    ];
    for (expected, change) in cases {
        let mut standing = standing();
        change(&mut standing);
        let problem = standing.stale().unwrap_or_default();
        assert!(problem.contains(expected), "{expected}: {problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_its_api_server_lives_and_one_that_hangs_does_not() {
    let mut lost = standing();
    lost.unreachable = Some((ago(600), "no route".to_owned()));
    assert_eq!(lost.dead(), None);
    let mut hung = standing();
    hung.turn = ago(61);
    assert!(hung.dead().is_some());
}

#[tokio::test]
async fn probes_and_metrics_are_served_over_http() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (standing, told) = watch::channel(standing());
    tokio::spawn(serve(
        listener,
        told,
        Arc::new(Metrics::new(&crate::metrics::Counts::default())),
    ));
    let get = async |path: &str| match crate::endpoints::get(&address.to_string(), path).await {
        mooring_core::proxy_mode::Answer::Http { status, body } => (status, body),
        other => panic!("{other:?}"),
    };
    assert_eq!(get("/readyz").await, (200, "ok\n".to_owned()));
    standing.send_modify(|standing| standing.looked = None);
    assert_eq!(get("/readyz").await.0, 503);
    assert_eq!(get("/healthz").await.0, 200);
    let (status, text) = get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_way_out() {
    let taken = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let problem = bind(taken.local_addr().unwrap()).await.unwrap_err();
    assert!(format!("{problem:#}").contains("--health-address"));
}
