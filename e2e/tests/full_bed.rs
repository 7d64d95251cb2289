//! What a full bed adds: kubelets, dual-stack Pods, images, and nodes that become Ready again after a power cut.
#![expect(
    clippy::print_stdout,
    reason = "the time a node takes to come back is worth reading"
)]

use std::process::Command;
use std::time::Duration;

use testbed::Bed;
use testbed::image::Image;
use testbed::protocol::Request;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: hello}
spec:
  nodeName: n2
  terminationGracePeriodSeconds: 1
  containers:
  - {name: hello, image: 'localhost/hello:1', imagePullPolicy: Never}
";

#[test]
fn pods_run_on_kubelets_and_a_node_comes_back_with_its_images() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "full")
        .nodes(2)
        .start()
        .unwrap();

    // An image of our own reaches every node, whatever its file is called.
    let tar = std::env::temp_dir().join(format!("it's hello {}.tar", std::process::id()));
    Image::builder("localhost/hello:1")
        .program("/bin/busybox", "/bin/busybox")
        .text("/hello", "moored\n", 0o644)
        .entrypoint(["/bin/busybox", "tail", "-f", "/hello"])
        .write(&tar)
        .unwrap();
    let load = |path: &str| bed.order(&Request::LoadImage(path.to_owned()));
    load(&tar.display().to_string()).unwrap();
    std::fs::remove_file(&tar).unwrap();
    let error = load(env!("CARGO_MANIFEST_PATH")).unwrap_err().to_string();
    assert!(error.contains("tar"), "{error}");

    bed.kubectl_with(&["create", "-f", "-"], POD).unwrap();
    let ready = [
        "wait",
        "--for=condition=Ready",
        "pod/hello",
        "--timeout=120s",
    ];
    bed.kubectl(&ready).unwrap();
    assert_eq!(bed.kubectl(&["logs", "hello"]).unwrap(), "moored\n");
    assert_eq!(
        bed.kubectl(&["exec", "hello", "--", "/bin/busybox", "cat", "/hello"])
            .unwrap(),
        "moored\n"
    );
    let addresses = bed.kubectl(&[
        "get",
        "pod",
        "hello",
        "-o",
        "jsonpath={.status.podIPs[*].ip}",
    ]);
    let addresses = addresses.unwrap();
    let families: Vec<bool> = addresses.split(' ').map(|ip| ip.contains(':')).collect();
    assert_eq!(families, [false, true], "{addresses}");
    for ip in addresses.split(' ') {
        let mut ping = bed.command("client", "ping");
        answers(ping.args(["-c", "1", "-W", "5", ip]));
        // From another node as well.
        bed.run_on("n1", &format!("ping -c 1 -W 5 {ip}")).unwrap();
    }

    bed.order(&Request::Kill("n2".into())).unwrap();
    let took = bed.order(&Request::Boot("n2".into())).unwrap();
    println!(
        "n2 was Ready again {:.1} s after it was switched on",
        took.as_secs_f64()
    );
    let images = "ctr -a /run/containerd.sock -n k8s.io images ls -q";
    let ran = bed.exec("n2", images, Duration::from_secs(60)).unwrap();
    assert!(
        String::from_utf8_lossy(&ran.stdout).contains("localhost/hello:1"),
        "{ran:?}"
    );
    bed.down().unwrap();
}

fn answers(command: &mut Command) {
    let output = command.output().expect("ping starts");
    assert!(output.status.success(), "{output:?}");
}
