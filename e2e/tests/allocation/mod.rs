//! A real API server, operators as processes, and nodes that are objects: for stories about who gets which address.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every story uses all of it")]

mod cluster;
pub(crate) mod objects;
pub(crate) mod operator;
pub(crate) mod random;
pub(crate) mod rules;
pub(crate) mod view;
pub(crate) mod watching;

use std::fs::File;
use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use mooring_api::ServiceProxy;
use nix::sched::{CloneFlags, setns};
use operator::Replica;
use testbed::Bed;

/// A control plane without nodes, on which Mooring finds all that it needs to say that announcing is safe.
pub(crate) fn server(program: &str, story: &str) -> Bed {
    let bed = Bed::fixture(program, story)
        .nodes(0)
        .light()
        .start()
        .unwrap();
    for manifest in mooring_api::manifests().unwrap() {
        let apply = ["apply", "--server-side", "-f", "-"];
        bed.kubectl_with(&apply, &manifest.text).unwrap();
    }
    let established = ["wait", "--for=condition=Established", "crd", "--all"];
    bed.kubectl(&established).unwrap();
    cluster::populate(&bed);
    bed
}

/// Tells a story on a thread that is inside the bed, with the administrator's rights.
pub(crate) fn inside<T: Send>(bed: &Bed, story: impl AsyncFnOnce(Client) -> T + Send) -> T {
    let print = bed.output("sh", &["-c", "cat \"$KUBECONFIG\""]).unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&String::from_utf8(print.stdout).unwrap()).unwrap();
    let netns = File::open(bed.see(Path::new("/run/netns/cp"))).unwrap();
    let told = std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(async {
                    let options = KubeConfigOptions::default();
                    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                    story(Client::try_from(config.unwrap()).unwrap()).await
                })
        });
        thread.join()
    });
    told.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Waits until the operator leads, and says that addresses may be published.
pub(crate) async fn safe_to_announce(client: &Client, replica: &Replica<'_>) {
    let proxies: Api<ServiceProxy> = Api::all(client.clone());
    let begin = tokio::time::Instant::now();
    loop {
        let leads = replica.metric("mooring_operator_leader").await == Some(1.0);
        let proxy = proxies.get_opt("cluster").await.unwrap();
        let status = proxy.and_then(|proxy| proxy.status).unwrap_or_default();
        let safe = status
            .conditions
            .iter()
            .any(|condition| condition.type_ == "SafeToAnnounce" && condition.status == "True");
        if leads && safe {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "not safe: {:#?}\n{}",
            status.conditions,
            replica.last_words()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
