//! Services with `externalTrafficPolicy: Local`: only a node with an endpoint of its own can have the address.

use serde_json::{Value, json};

use crate::moored::{POOL, Scene, address, web_service};
use crate::mooring::object_name;

/// The name of the Service, and the label of its Pods.
const NAME: &str = "local";
const ADDRESS: &str = "10.77.0.205";

/// A Pod of the Service, on that node.
fn pod(node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{NAME}-{node}"), "labels": {"app": NAME}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "web", "image": "localhost/web:1", "imagePullPolicy": "Never",
                "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
            }]
        }
    })
}

/// The address follows the endpoints, and a node that is to have it without one waits for what its kube-proxy says.
pub(crate) fn only_with_endpoints(scene: &Scene<'_>) {
    let (cluster, mooring, ip) = (scene.cluster, &scene.mooring, address(ADDRESS));
    let nodes = cluster.nodes();
    let [first, second, other] = &nodes[..] else {
        panic!("{nodes:?}");
    };
    let watcher = mooring.watch(&[ip]);
    let mut service = web_service(NAME, NAME, POOL, ADDRESS);
    service["spec"]["externalTrafficPolicy"] = json!("Local");
    mooring.create(&service);
    let nobody = mooring.wait_until_said(ip, "Announced", "NoEligibleNode");
    println!("  {}", nobody.message);
    assert!(nobody.message.contains("externalTrafficPolicy"));

    for node in [first, second] {
        mooring.create(&pod(node));
        let holder = mooring.wait_until_held_by(ip, |holder| holder.node == *node);
        mooring.wait_until_reached(ip);
        let story = watcher.story(ip).unwrap();
        mooring.print(&story);
        let now = watcher.now();
        mooring.expect_answers(ip, 200);
        let since = watcher.story(ip).unwrap().since(now);
        mooring.expect_one(&since, holder.mac);
        assert_eq!(story.overlaps(), [], "{story}");
        mooring.delete(&format!("pod/{NAME}-{node}"));
        if node == second {
            mooring.create(&pod(first));
        }
    }

    // Only kube-proxy of that node can know: the plan says so, and the rules for the address are there. The former node goes
    // on until it has waited for long enough.
    mooring.wait_until_held_by(ip, |holder| holder.node == *first);
    mooring.scale_operator(0);
    let plan = mooring.claim(ip)["spec"]["plan"].as_u64().unwrap_or(0) + 1;
    let object = format!("externalip/{}", object_name(ADDRESS));
    mooring.merge(&object, &json!({"spec": {"node": other, "plan": plan}}));
    mooring.expect_answers(ip, 500);
    let waits = mooring.wait_until_said(ip, "Announced", "ProxyNotProgrammed");
    println!("  {}", waits.message);
    let port = mooring.object(&format!("service/{NAME}"))["spec"]["healthCheckNodePort"].take();
    for part in ["healthCheckNodePort", other, &port.to_string()] {
        assert!(waits.message.contains(part), "{part}: {}", waits.message);
    }
    mooring.create(&pod(other));
    mooring.wait_until_held_by(ip, |holder| holder.node == *other);
    mooring.wait_until_reached(ip);
    mooring.expect_answers(ip, 200);
    mooring.scale_operator(1);
    mooring.delete(&format!("service/{NAME}"));
    for node in [first, other] {
        mooring.delete(&format!("pod/{NAME}-{node}"));
    }
}
