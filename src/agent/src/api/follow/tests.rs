use super::*;

#[test]
fn only_pods_that_have_to_do_with_services_are_kept_and_their_versions_are_not() {
    let pod = |container: &str, command: &[&str]| -> core::Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "kube-system", "resourceVersion": "7"},
            "spec": {"nodeName": "n1", "containers": [
                {"name": container, "image": "i", "command": command}
            ]}
        }))
        .unwrap()
    };
    assert_eq!(of_interest(pod("app", &["/app"])), None);
    let proxy = of_interest(pod(
        "kube-proxy",
        &["/usr/local/bin/kube-proxy", "--config=/c"],
    ));
    assert_eq!(proxy.unwrap().metadata.resource_version, "");
    assert!(of_interest(pod("antrea-agent", &["antrea-agent"])).is_some());
}

/// What is told of events, in words.
async fn told(events: Vec<watcher::Result<Event<core::ConfigMap>>>) -> Vec<String> {
    let (sender, mut news) = mpsc::channel(64);
    let tell = |found: Vec<usize>| {
        let name = ObjectName::new("ns", format!("{found:?}"));
        Heard::ConfigMap(name, None)
    };
    let keep = |object: core::ConfigMap| Some(object.data.unwrap().len());
    let events = std::cell::RefCell::new(Some(events));
    let begin = || futures::stream::iter(events.take().unwrap_or_default());
    let contact = Contact::default();
    listen(Source::Pools, begin, keep, tell, sender, contact)
        .await
        .unwrap();
    let mut told = Vec::new();
    while let Some(news) = news.recv().await {
        told.push(match news {
            News::Api(Heard::ConfigMap(name, _)) => name.name,
            News::Api(Heard::Trouble(_, trouble)) => trouble.label().to_owned(),
            News::Api(Heard::Fine(source)) => format!("fine: {source}"),
            other => format!("{other:?}"),
        });
    }
    told
}

fn sized(name: usize, size: usize) -> core::ConfigMap {
    let data = (0..size).map(|key| (key.to_string(), String::new()));
    core::ConfigMap {
        metadata: kube::api::ObjectMeta {
            name: Some(format!("{name:05}")),
            ..kube::api::ObjectMeta::default()
        },
        data: Some(data.collect()),
        ..core::ConfigMap::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_told_before_trouble_and_that_it_is_over_before_what_is_new() {
    let lost = || Err(watcher::Error::NoResourceVersion);
    let events = vec![
        Ok(Event::Init),
        Ok(Event::InitApply(sized(1, 1))),
        Ok(Event::InitDone),
        Ok(Event::Apply(sized(2, 2))),
        lost(),
        lost(),
        Ok(Event::Apply(sized(1, 3))),
        lost(),
    ];
    let expected = [
        "[1, 2]",
        "refused",
        "refused",
        "fine: the ExternalIPPools of mooring.dev",
        "[3, 2]",
        "refused",
    ];
    assert_eq!(told(events).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_at_once_are_told_a_few_times() {
    let mut events = vec![Ok(Event::Init), Ok(Event::InitDone)];
    events.extend((0..1000).map(|name| Ok(Event::Apply(sized(name, 1)))));
    events.push(Err(watcher::Error::NoResourceVersion));
    let told = told(events).await;
    assert_eq!(told.len(), 5, "a batch each, and the trouble");
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_connection_is_in_doubt_is_begun_anew() {
    let (sender, mut news) = mpsc::channel(64);
    let tell =
        |found: Vec<usize>| Heard::ConfigMap(ObjectName::new("ns", format!("{found:?}")), None);
    let keep = |object: core::ConfigMap| Some(object.data.unwrap().len());
    let begun = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&begun);
    // A connection that gives a list and then nothing any more.
    let begin = move || {
        let size = 1 + counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let list = vec![
            Ok(Event::Init),
            Ok(Event::InitApply(sized(1, size))),
            Ok(Event::InitDone),
        ];
        futures::stream::iter(list).chain(futures::stream::pending())
    };
    let contact = Contact::default();
    let doubting = contact.clone();
    let task = tokio::spawn(listen(Source::Pools, begin, keep, tell, sender, contact));
    for expected in ["[1]", "[2]", "[3]"] {
        let Some(News::Api(Heard::ConfigMap(name, _))) = news.recv().await else {
            panic!("no news");
        };
        assert_eq!(name.name, expected);
        tokio::time::sleep(Duration::from_secs(1)).await;
        doubting.doubt();
    }
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn after_trouble_what_is_of_the_node_is_listed_anew_so_that_its_end_shows() {
    let (sender, mut news) = mpsc::channel(64);
    let tell = |_: Vec<usize>| Heard::Pods(Vec::new());
    let keep = |object: core::ConfigMap| Some(object.data.unwrap().len());
    let begun = std::sync::atomic::AtomicUsize::new(0);
    let begin = move || {
        let first = begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let mut list = vec![Ok(Event::Init), Ok(Event::InitDone)];
        if first {
            list.push(Err(watcher::Error::NoResourceVersion));
        }
        // Nothing changes any more.
        futures::stream::iter(list).chain(futures::stream::pending())
    };
    let task = tokio::spawn(listen(
        Source::Pods,
        begin,
        keep,
        tell,
        sender,
        Contact::default(),
    ));
    loop {
        match news.recv().await.expect("the watch goes on") {
            News::Api(Heard::Fine(Source::Pods)) => break,
            News::Api(_) => {}
            other => panic!("{other:?}"),
        }
    }
    task.abort();
}
