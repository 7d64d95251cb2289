//! What Mooring may do in a cluster, as the API server sees it: no more than the README says.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod mooring;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use mooring::{Mooring, NAMESPACE, tree};
use serde_json::{Value, json};
use testbed::Bed;

const OPERATOR: &str = "mooring-operator";
const AGENT: &str = "mooring-agent";
/// One that has nothing but a token.
const KUBECONFIG: &str = "/run/testbed/kubernetes/token.kubeconfig";
/// The one Secret.
const KEYS: &str = "mooring-peer-keys";

/// A namespace that Mooring knows nothing of: what is allowed here is allowed everywhere.
const ELSEWHERE: &str = "elsewhere";
/// Namespaces in which something more may be allowed.
const NAMESPACES: [&str; 3] = ["default", "kube-system", NAMESPACE];

const BEGIN: &str = "<!-- permissions -->\n";
const END: &str = "<!-- /permissions -->\n";

/// One thing that may be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    verb: String,
    /// As in `daemonsets.apps`; a subresource behind a slash.
    resource: String,
    /// `None`: all of them.
    name: Option<String>,
}

/// What a service account may do, by namespace; what it may do everywhere is under the empty name alone.
type Permissions = BTreeMap<String, BTreeSet<Rule>>;

#[test]
fn mooring_may_do_what_the_readme_says_and_no_more() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "permissions")
        .nodes(0)
        .light()
        .start()
        .unwrap();
    bed.kubectl(&["create", "namespace", ELSEWHERE]).unwrap();
    Mooring::apply(&bed, "manifests");

    let operator = permissions(&bed, OPERATOR);
    let agent = permissions(&bed, AGENT);
    for (account, permissions) in [(OPERATOR, &operator), (AGENT, &agent)] {
        nothing_is_a_wildcard_a_secret_or_a_way_to_more(account, permissions);
    }
    agents_write_their_report_and_statuses_of_addresses_only(&agent);
    the_operator_writes_no_workload(&operator);
    reviews_agree(&bed);

    let list = format!(
        "```text\n{}\n{}```\n",
        block(OPERATOR, &operator),
        block(AGENT, &agent)
    );
    println!("{list}");
    the_readme_has(&list);

    an_agent_speaks_for_its_own_node_only(&bed);
    the_operator_deletes_pods_of_kube_proxy_only(&bed);
    the_operator_writes_finalizers_of_pools_only(&bed);
    the_operator_writes_addresses_of_services_only(&bed);
    the_operator_makes_no_secret_but_its_own(&bed);
    external_ips_are_the_operators(&bed);
    an_agent_has_addresses_for_its_own_node_only(&bed);
    an_agent_holds_leases_for_its_own_node_only(&bed);
    the_operator_keeps_the_keys_of_agents(&bed);
    bed.down().unwrap();
}

// === what is allowed ===

/// What the API server lists for a service account and not for one without any binding.
fn permissions(bed: &Bed, account: &str) -> Permissions {
    let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
    let anybody = rules(bed, "system:serviceaccount:elsewhere:default", ELSEWHERE);
    let everywhere: BTreeSet<Rule> = &rules(bed, &user, ELSEWHERE) - &anybody;
    assert!(!everywhere.is_empty(), "{account} may do nothing");
    let mut permissions = Permissions::new();
    for namespace in NAMESPACES {
        let here = &(&rules(bed, &user, namespace) - &anybody) - &everywhere;
        if !here.is_empty() {
            permissions.insert(namespace.to_owned(), here);
        }
    }
    permissions.insert(String::new(), everywhere);
    permissions
}

fn rules(bed: &Bed, user: &str, namespace: &str) -> BTreeSet<Rule> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let impersonate = format!("--as={user}");
    // The account may not read the schemas by which kubectl would check the review.
    let arguments = [
        "create",
        "--validate=false",
        "-f",
        "-",
        "-o",
        "json",
        &impersonate,
    ];
    let answer = bed.kubectl_with(&arguments, &review.to_string()).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"]["incomplete"], false, "{answer}");
    let mut rules = BTreeSet::new();
    for rule in answer["status"]["resourceRules"].as_array().unwrap() {
        let names = match strings(&rule["resourceNames"]) {
            names if names.is_empty() => vec![None],
            names => names.into_iter().map(Some).collect(),
        };
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                for verb in strings(&rule["verbs"]) {
                    rules.extend(names.iter().map(|name| Rule {
                        verb: verb.clone(),
                        resource: full_name(&resource, &group),
                        name: name.clone(),
                    }));
                }
            }
        }
    }
    // Paths that are no resources, as in /metrics.
    for rule in answer["status"]["nonResourceRules"].as_array().unwrap() {
        for path in strings(&rule["nonResourceURLs"]) {
            rules.extend(strings(&rule["verbs"]).into_iter().map(|verb| Rule {
                verb,
                resource: path.clone(),
                name: None,
            }));
        }
    }
    rules
}

/// `daemonsets.apps`, `serviceproxies.mooring.dev/status`.
fn full_name(resource: &str, group: &str) -> String {
    let (resource, sub) = match resource.split_once('/') {
        Some((resource, sub)) => (resource, format!("/{sub}")),
        None => (resource, String::new()),
    };
    if group.is_empty() {
        format!("{resource}{sub}")
    } else {
        format!("{resource}.{group}{sub}")
    }
}

fn strings(list: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.as_array().into_iter().flatten().map(text).collect()
}

fn nothing_is_a_wildcard_a_secret_or_a_way_to_more(account: &str, permissions: &Permissions) {
    for (namespace, rules) in permissions {
        for rule in rules {
            let text = format!("{account} in {namespace:?}: {rule:?}");
            assert!(rule.verb != "*" && !rule.resource.contains('*'), "{text}");
            let keys = namespace == NAMESPACE
                && (rule.name.as_deref() == Some(KEYS) || rule.verb == "create");
            assert!(keys || !rule.resource.starts_with("secrets"), "{text}");
            for more in ["impersonate", "escalate", "bind", "deletecollection"] {
                assert_ne!(rule.verb, more, "{text}");
            }
            for more in ["rbac.authorization", "token", "exec", "proxy", "admission"] {
                let allowed = ["serviceproxies.mooring", "nodeproxystates.mooring"];
                let ours = allowed.iter().any(|own| rule.resource.starts_with(own));
                assert!(ours || !rule.resource.contains(more), "{text}");
            }
        }
    }
}

fn writes(permissions: &Permissions) -> BTreeSet<(&str, &str, &str)> {
    let writes = |rule: &&Rule| !["get", "list", "watch"].contains(&rule.verb.as_str());
    permissions
        .iter()
        .flat_map(|(namespace, rules)| {
            rules
                .iter()
                .filter(writes)
                .map(|rule| (namespace.as_str(), rule.verb.as_str(), &*rule.resource))
        })
        .collect()
}

fn agents_write_their_report_and_statuses_of_addresses_only(agent: &Permissions) {
    let expected = [
        ("", "create", "nodeproxystates.mooring.dev"),
        ("", "patch", "externalips.mooring.dev/status"),
        ("", "patch", "nodeproxystates.mooring.dev/status"),
        // The policy narrows these to those of Fenced addresses.
        (NAMESPACE, "create", "leases.coordination.k8s.io"),
        (NAMESPACE, "patch", "leases.coordination.k8s.io"),
    ];
    assert_eq!(writes(agent), BTreeSet::from(expected));
}

fn the_operator_writes_no_workload(operator: &Permissions) {
    let core = |resource: &str| !resource.contains('.');
    let workloads = |resource: &str| resource.contains(".apps") || resource.contains(".batch");
    for (namespace, verb, resource) in writes(operator) {
        assert!(
            !workloads(resource),
            "the operator may {verb} {resource} in {namespace:?}"
        );
        if core(resource) {
            let allowed = [
                ("", "patch", "services/status"),
                ("kube-system", "delete", "pods"),
                ("kube-system", "patch", "configmaps"),
                (NAMESPACE, "create", "secrets"),
                (NAMESPACE, "update", "secrets"),
            ];
            assert!(
                allowed.contains(&(namespace, verb, resource)),
                "the operator may {verb} {resource} in {namespace:?}"
            );
        }
    }
    let config_maps = operator["kube-system"]
        .iter()
        .filter(|rule| rule.resource == "configmaps");
    for rule in config_maps {
        assert!(rule.name.is_some(), "any ConfigMap: {rule:?}");
    }
}

/// The authorizer itself, asked about what matters most.
fn reviews_agree(bed: &Bed) {
    let mut wrong = Vec::new();
    let mut ask = |account: &str, words: &str, namespace: &str, expected: bool| {
        let user = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
        let mut arguments = vec!["auth", "can-i", &user, "-n", namespace];
        arguments.extend(words.split(' '));
        let output = bed.output("kubectl", &arguments).unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if answer != if expected { "yes" } else { "no" } {
            wrong.push(format!("{account} {words} in {namespace}: {answer:?}"));
        }
    };
    for account in [OPERATOR, AGENT] {
        for namespace in [ELSEWHERE, "kube-system", NAMESPACE] {
            ask(account, "get secrets", namespace, false);
            ask(account, "create pods", namespace, false);
        }
        ask(account, "patch daemonsets.apps", "kube-system", false);
        ask(account, "patch nodes", ELSEWHERE, false);
        ask(account, "delete pods", ELSEWHERE, false);
        ask(account, "patch services", ELSEWHERE, false);
        ask(account, "list events.events.k8s.io", ELSEWHERE, false);
        for verb in ["create", "update", "delete"] {
            let pools = format!("{verb} externalippools.mooring.dev");
            ask(account, &pools, ELSEWHERE, false);
            let pools = format!("{verb} externalippools.crd.antrea.io");
            ask(account, &pools, ELSEWHERE, false);
        }
        ask(account, "patch configmaps/coredns", "kube-system", false);
    }
    let keys = |verb: &str| format!("{verb} secrets/{KEYS}");
    for account in [OPERATOR, AGENT] {
        ask(account, &keys("get"), NAMESPACE, true);
        ask(account, &keys("get"), "kube-system", false);
        ask(account, &keys("delete"), NAMESPACE, false);
    }
    ask(OPERATOR, &keys("update"), NAMESPACE, true);
    ask(AGENT, &keys("update"), NAMESPACE, false);
    ask(AGENT, "create secrets", NAMESPACE, false);
    ask(OPERATOR, "create secrets", "kube-system", false);
    ask(OPERATOR, "patch configmaps/kube-proxy", "kube-system", true);
    ask(OPERATOR, "delete pods", "kube-system", true);
    ask(
        OPERATOR,
        "patch configmaps/antrea-config",
        "kube-system",
        false,
    );
    ask(AGENT, "patch configmaps/kube-proxy", "kube-system", false);
    ask(
        AGENT,
        "patch services --subresource=status",
        ELSEWHERE,
        false,
    );
    for verb in ["create", "update", "patch", "delete"] {
        let addresses = format!("{verb} externalips.mooring.dev");
        ask(AGENT, &addresses, ELSEWHERE, false);
    }
    ask(
        AGENT,
        "patch externalips.mooring.dev --subresource=status",
        ELSEWHERE,
        true,
    );
    ask(AGENT, "delete pods", "kube-system", false);
    ask(AGENT, "patch serviceproxies.mooring.dev", ELSEWHERE, false);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

// === the README ===

/// The list of one service account.
fn block(account: &str, permissions: &Permissions) -> String {
    let mut text = format!("{account}\n");
    for (namespace, rules) in permissions {
        let place = match namespace.as_str() {
            "" => "everywhere".to_owned(),
            namespace => format!("in {namespace}"),
        };
        let _ = writeln!(text, "  {place}");
        let mut verbs: BTreeMap<(&str, Option<&str>), Vec<&str>> = BTreeMap::new();
        for rule in rules {
            let what = (rule.resource.as_str(), rule.name.as_deref());
            verbs.entry(what).or_default().push(&rule.verb);
        }
        let mut names: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
        for ((resource, name), verbs) in verbs {
            let names = names.entry((in_order(&verbs), resource)).or_default();
            names.extend(name);
        }
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((verbs, resource), names) in names {
            lines.entry(verbs).or_default().push(if names.is_empty() {
                resource.to_owned()
            } else {
                format!("{resource} ({})", names.join(", "))
            });
        }
        for (verbs, resources) in lines {
            // A list of verbs that is longer than its column has a line of its own.
            let mut margin = format!("    {verbs:<32} ");
            if verbs.len() > 32 {
                let _ = writeln!(text, "    {verbs}");
                margin = " ".repeat(37);
            }
            for line in filled(&resources) {
                let _ = writeln!(text, "{margin}{line}");
                margin = " ".repeat(37);
            }
        }
    }
    text
}

/// As many names on a line as the README's width leaves room for.
fn filled(names: &[String]) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 < names.len() { "," } else { "" };
        let word = format!("{name}{comma}");
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = word,
            Some(line) if line.len() + 1 + word.len() <= 86 => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Reading before writing.
fn in_order(verbs: &[&str]) -> String {
    const ORDER: [&str; 7] = [
        "get", "list", "watch", "create", "update", "patch", "delete",
    ];
    let known = ORDER.iter().filter(|verb| verbs.contains(verb));
    let others = verbs.iter().filter(|verb| !ORDER.contains(verb));
    known.chain(others).copied().collect::<Vec<_>>().join(", ")
}

/// With `MOORING_REWRITE` set, it is made so.
fn the_readme_has(list: &str) {
    let path = tree().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let parts = readme
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let (before, (block, after)) =
        parts.unwrap_or_else(|| panic!("README.md has no section between {BEGIN}and {END}"));
    if std::env::var_os("MOORING_REWRITE").is_some() {
        std::fs::write(&path, [before, BEGIN, list, END, after].concat()).unwrap();
    } else {
        assert_eq!(
            block, list,
            "README.md is not current: run this test with MOORING_REWRITE=1"
        );
    }
}

// === what RBAC cannot say ===

/// A Pod on a node; neither needs to run.
fn pod(namespace: &str, name: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "localhost/none:1"}]},
    })
}

fn create(bed: &Bed, object: &Value) {
    bed.kubectl_with(&["create", "-f", "-"], &object.to_string())
        .unwrap();
}

/// kubectl with nothing but a token of this account, as a Pod has it if one is named.
fn with_token(
    bed: &Bed,
    account: &str,
    pod: Option<&str>,
    arguments: &[&str],
    manifest: &Value,
) -> Result<String, String> {
    let mut create = vec!["-n", NAMESPACE, "create", "token", account];
    if let Some(pod) = pod {
        create.extend(["--bound-object-kind=Pod", "--bound-object-name", pod]);
    }
    let token = bed.kubectl(&create).unwrap();
    write_kubeconfig(bed, token.trim());
    let arguments = [&["--kubeconfig", KUBECONFIG], arguments].concat();
    bed.kubectl_with(&arguments, &manifest.to_string())
        .map_err(|error| error.to_string())
}

fn write_kubeconfig(bed: &Bed, token: &str) {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {
            "server": "https://10.77.0.2:6443", "certificate-authority": "ca.crt",
        }}],
        "users": [{"name": "x", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    });
    std::fs::write(bed.see(Path::new(KUBECONFIG)), config.to_string()).unwrap();
}

#[track_caller]
fn expect_refusal(result: Result<String, String>, words: &str) {
    let error = result.expect_err("it is allowed");
    assert!(error.contains(words), "no {words:?} in: {error}");
}

/// A node and a Pod of the agent there, whose name is returned.
fn agent_on(bed: &Bed, node: &str) -> String {
    create(
        bed,
        &json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}),
    );
    let name = format!("agent-on-{node}");
    let mut agent = pod(NAMESPACE, &name, node);
    agent["spec"]["serviceAccountName"] = AGENT.into();
    create(bed, &agent);
    name
}

fn an_agent_speaks_for_its_own_node_only(bed: &Bed) {
    let on_n1 = agent_on(bed, "n1");
    let on_n1 = Some(on_n1.as_str());
    let state = |node: &str| {
        json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "NodeProxyState",
            "metadata": {"name": node},
        })
    };
    let arguments = ["create", "--validate=false", "-f", "-"];
    with_token(bed, AGENT, on_n1, &arguments, &state("n1")).unwrap();
    expect_refusal(
        with_token(bed, AGENT, on_n1, &arguments, &state("n2")),
        "the agent of node n1 may not write the NodeProxyState n2",
    );

    // As the administrator, so that there is one to forge.
    create(bed, &state("n2"));
    let forge = |node: &str, pod: Option<&str>| {
        let arguments = [
            "apply",
            "--server-side",
            "--subresource=status",
            "--validate=false",
            "-f",
            "-",
        ];
        let mut state = state(node);
        state["status"] = json!({"mode": "none"});
        with_token(bed, AGENT, pod, &arguments, &state)
    };
    forge("n1", on_n1).unwrap();
    expect_refusal(
        forge("n2", on_n1),
        "the agent of node n1 may not write the NodeProxyState n2",
    );
    expect_refusal(
        forge("n1", None),
        "the token does not say on which node its agent runs",
    );
}

fn the_operator_deletes_pods_of_kube_proxy_only(bed: &Bed) {
    // Which a controller would make, but none runs here.
    bed.kubectl(&["-n", "kube-system", "create", "serviceaccount", "default"])
        .unwrap();
    let delete = |pod: &str| {
        let arguments = [
            "-n",
            "kube-system",
            "delete",
            "pod",
            pod,
            "--dry-run=server",
        ];
        with_token(bed, OPERATOR, None, &arguments, &Value::Null)
    };
    let words = "the operator may delete kube-proxy's Pods only";
    for (name, owner, config_map, allowed) in [
        ("kube-proxy-a", Some("DaemonSet"), "kube-proxy", true),
        ("kube-proxy-b", Some("DaemonSet"), "kube-proxy-config", true),
        ("other", Some("DaemonSet"), "other", false),
        ("copy", Some("ReplicaSet"), "kube-proxy", false),
        ("lone", None, "kube-proxy", false),
    ] {
        let mut object = pod("kube-system", name, "n1");
        object["spec"]["volumes"] = json!([{"name": "config", "configMap": {"name": config_map}}]);
        if let Some(kind) = owner {
            let owner = json!({
                "apiVersion": "apps/v1",
                "kind": kind,
                "name": "owner",
                "uid": "11111111-2222-3333-4444-555555555555",
                "controller": true,
            });
            object["metadata"]["ownerReferences"] = json!([owner]);
        }
        create(bed, &object);
        if allowed {
            let said = delete(name).unwrap();
            assert!(said.contains("(server dry run)"), "{said}");
        } else {
            expect_refusal(delete(name), words);
        }
    }
    // A Pod without volumes or owners has neither field.
    create(bed, &pod("kube-system", "bare", "n1"));
    expect_refusal(delete("bare"), words);
}

/// What the operator says to an object, if it may.
fn patch_as_operator(bed: &Bed, words: &[&str], patch: &Value) -> Result<String, String> {
    let text = patch.to_string();
    let arguments = [&["patch"], words, &["--type=merge", "-p", &text]].concat();
    with_token(bed, OPERATOR, None, &arguments, &Value::Null)
}

/// A patch of a status, as the operator writes it.
fn apply_status_as_operator(
    bed: &Bed,
    version: &str,
    kind: &str,
    name: &str,
    patch: &Value,
) -> Result<String, String> {
    let mut object = patch.clone();
    object["apiVersion"] = version.into();
    object["kind"] = kind.into();
    object["metadata"]["name"] = name.into();
    if kind == "Service" {
        object["metadata"]["namespace"] = ELSEWHERE.into();
    }
    let arguments = [
        "apply",
        "--server-side",
        "--subresource=status",
        "--validate=false",
        "-f",
        "-",
    ];
    with_token(bed, OPERATOR, None, &arguments, &object)
}

fn the_operator_makes_no_secret_but_its_own(bed: &Bed) {
    let words = "the operator may write no Secret but mooring-peer-keys";
    let arguments = ["create", "--validate=false", "--dry-run=server", "-f", "-"];
    let make = |name: &str, type_: &str| {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "annotations": {"kubernetes.io/service-account.name": AGENT},
            },
            "type": type_,
        });
        with_token(bed, OPERATOR, None, &arguments, &secret)
    };
    make(KEYS, "Opaque").unwrap();
    expect_refusal(make("other", "Opaque"), words);
    expect_refusal(make(KEYS, "kubernetes.io/service-account-token"), words);
}

/// The operator itself, for some seconds: it makes the keys, keeps those that are there, and changes them when it is asked to.
fn the_operator_keeps_the_keys_of_agents(bed: &Bed) {
    let program = cargo::programs().join(OPERATOR);
    let run = || {
        let token = bed
            .kubectl(&["-n", NAMESPACE, "create", "token", OPERATOR])
            .unwrap();
        write_kubeconfig(bed, token.trim());
        let arguments = [
            "--signal=TERM",
            "6",
            program.to_str().unwrap(),
            "--kubeconfig",
            KUBECONFIG,
            "--namespace",
            NAMESPACE,
            "--listen",
            "127.0.0.1:18080",
        ];
        let output = bed.output("timeout", &arguments).unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    };
    let secret = ["-n", NAMESPACE, "get", "secret", KEYS, "-o", "json"];
    let secret = || serde_json::from_str::<Value>(&bed.kubectl(&secret).unwrap()).unwrap();
    let annotate = |annotations: &[&str]| {
        let arguments = ["-n", NAMESPACE, "annotate", "--overwrite", "secret", KEYS];
        bed.kubectl(&[&arguments, annotations].concat()).unwrap();
    };
    let log = run();
    let made = secret();
    assert!(log.contains("keys of agents made"), "{log}");
    assert_eq!(made["type"], "Opaque");
    assert_eq!(made["data"].as_object().unwrap().len(), 1);
    let first = made["data"]["current"].as_str().unwrap().to_owned();
    assert!(!log.contains(&first));

    annotate(&["mooring.dev/rotate=now"]);
    run();
    assert_eq!(secret()["data"], made["data"], "not within an hour");
    annotate(&["mooring.dev/stepped-at=2026-01-01T00:00:00Z"]);
    let log = run();
    assert!(log.contains("next one made"), "{log}");
    let added = secret();
    assert_eq!(added["data"]["current"], first.as_str());
    assert_eq!(
        added["metadata"]["annotations"]["mooring.dev/rotate"],
        Value::Null
    );
    annotate(&["mooring.dev/stepped-at=2026-01-01T00:00:00Z"]);
    run();
    let switched = secret();
    assert_eq!(switched["data"]["previous"], first.as_str());
    assert_eq!(switched["data"]["current"], added["data"]["next"]);
    assert_eq!(switched["data"]["next"], Value::Null);

    let patch = r#"{"data": {"current": "c2hvcnQ="}}"#;
    bed.kubectl(&["-n", NAMESPACE, "patch", "secret", KEYS, "-p", patch])
        .unwrap();
    let log = run();
    assert!(log.contains("delete secret mooring-peer-keys"), "{log}");
    assert_eq!(secret()["data"]["current"], "c2hvcnQ=");
}

fn the_operator_writes_finalizers_of_pools_only(bed: &Bed) {
    let words = "may change nothing of a pool or a ServiceProxy but its own finalizers";
    for (object, spec, other) in [
        (
            json!({"kind": "ExternalIPPool", "metadata": {"name": "blue"}}),
            json!({"ipRanges": [{"cidr": "10.0.0.0/24"}]}),
            json!({"autoAssign": true}),
        ),
        (
            json!({"kind": "ServiceProxy", "metadata": {"name": "cluster"}}),
            json!({}),
            json!({"strictARP": {"policy": "Ignore"}}),
        ),
    ] {
        let mut object = object;
        object["apiVersion"] = "mooring.dev/v1alpha1".into();
        object["metadata"]["finalizers"] = json!(["example.com/other"]);
        object["spec"] = spec;
        create(bed, &object);
        let kind = object["kind"].as_str().unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        let patch = |patch: &Value| patch_as_operator(bed, &[kind, name], patch);
        let finalizers = |names: &[&str]| json!({"metadata": {"finalizers": names}});
        patch(&finalizers(&["example.com/other", "mooring.dev/addresses"])).unwrap();
        patch(&finalizers(&["example.com/other"])).unwrap();
        expect_refusal(patch(&finalizers(&["mooring.dev/addresses"])), words);
        expect_refusal(patch(&json!({"spec": other})), words);
        for field in ["labels", "annotations"] {
            let more = json!({"metadata": {field: {"example.com/a": "b"}}});
            expect_refusal(patch(&more), words);
        }
    }
}

fn the_operator_writes_addresses_of_services_only(bed: &Bed) {
    create(
        bed,
        &json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": ELSEWHERE},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        }),
    );
    // Not `kubectl patch`, which reads the status first: the operator may not.
    let patch = |patch: &Value| apply_status_as_operator(bed, "v1", "Service", "web", patch);
    let ingress = json!([{"ip": "10.0.0.7", "ipMode": "VIP"}]);
    patch(&json!({"status": {"loadBalancer": {"ingress": ingress}}})).unwrap();
    let stored = bed
        .kubectl(&["-n", ELSEWHERE, "get", "svc", "web", "-o", "json"])
        .unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["status"]["loadBalancer"]["ingress"], ingress);
    let conditions = json!([{
        "type": "Mine",
        "status": "True",
        "reason": "Forged",
        "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }]);
    for more in [
        json!({"metadata": {"annotations": {"mooring.dev/ips": "10.0.0.8"}}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"finalizers": ["mooring.dev/addresses"]}}),
        json!({"status": {"conditions": conditions}}),
    ] {
        expect_refusal(
            patch(&more),
            "may change nothing of a Service but status.loadBalancer",
        );
    }
}

/// The ExternalIP of an address.
fn claim(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": name},
        "spec": {"address": address, "pool": {"group": "mooring.dev", "name": "blue"}},
    })
}

fn external_ips_are_the_operators(bed: &Bed) {
    let claim = claim("10-0-0-7", "10.0.0.7");
    let by_hand = bed.kubectl_with(&["create", "-f", "-"], &claim.to_string());
    expect_refusal(
        by_hand.map_err(|error| error.to_string()),
        "to have an address, make a Service that asks for it",
    );
    let arguments = ["create", "--validate=false", "-f", "-"];
    with_token(bed, OPERATOR, None, &arguments, &claim).unwrap();
    let name = ["xip", "10-0-0-7"];
    let elsewhere = json!({"spec": {"node": "n9"}});
    patch_as_operator(bed, &name, &elsewhere).unwrap();
    let status = json!({"status": {"node": "n1"}});
    apply_status_as_operator(bed, "mooring.dev/v1alpha1", "ExternalIP", name[1], &status).unwrap();

    let patch = |patch: &Value| {
        let text = patch.to_string();
        let arguments = ["patch", name[0], name[1], "--type=merge", "-p", &text];
        bed.kubectl(&arguments).map_err(|error| error.to_string())
    };
    expect_refusal(
        patch(&json!({"spec": {"node": "n1"}})),
        "the operator makes it again from the Service's status",
    );
    patch(&json!({"metadata": {"labels": {"a": "b"}}})).unwrap();

    // A move is the next plan, and nothing else.
    let plan = |plan: u32| json!({"node": "n1", "heirs": ["n9"], "plan": plan});
    patch(&json!({"spec": plan(1)})).unwrap();
    assert_eq!(external_ip(bed, name[1])["spec"]["node"], "n1");
    let mut more = [plan(1), plan(3), plan(2), plan(2), plan(2)];
    more[0]["node"] = "n2".into();
    more[2]["node"] = Value::Null;
    more[3]["released"] = json!({"at": "2026-01-02T03:04:05Z", "namespace": "shop", "name": "web"});
    more[4]["services"] = json!([{
        "namespace": ELSEWHERE, "name": "web", "uid": "6f6e65", "trafficPolicy": "Cluster"
    }]);
    for spec in more {
        expect_refusal(
            patch(&json!({"spec": spec})),
            "to move the address to another node, kubectl mooring move",
        );
    }
    patch(&json!({"spec": plan(2)})).unwrap();
    bed.kubectl(&["delete", name[0], name[1]]).unwrap();
}

fn external_ip(bed: &Bed, name: &str) -> Value {
    let text = bed.kubectl(&["get", "xip", name, "-o", "json"]).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// After `an_agent_speaks_for_its_own_node_only`, whose n1 it needs.
/// After [`an_agent_has_addresses_for_its_own_node_only`], which makes the agent on n2.
fn an_agent_holds_leases_for_its_own_node_only(bed: &Bed) {
    let (on_n1, on_n2) = (Some("agent-on-n1"), Some("agent-on-n2"));
    let lease = |name: &str, holder: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 10},
        })
    };
    let name = "fenced-10-0-0-8";
    let arguments = ["create", "--validate=false", "-f", "-"];
    let create = |pod: Option<&str>, name: &str, holder: &str| {
        with_token(bed, AGENT, pod, &arguments, &lease(name, holder))
    };
    let write = |pod: Option<&str>, holder: Value| {
        let patch = json!({"spec": {"holderIdentity": holder}}).to_string();
        let arguments = [
            "-n",
            NAMESPACE,
            "patch",
            "lease",
            name,
            "--type=merge",
            "-p",
            &patch,
        ];
        with_token(bed, AGENT, pod, &arguments, &json!({}))
    };
    expect_refusal(
        create(on_n1, "mooring-operator-too", "n1"),
        "agents may write no Lease but those of Fenced addresses",
    );
    expect_refusal(
        create(on_n1, name, "n2"),
        "the agent of node n1 may not say that n2 holds fenced-10-0-0-8",
    );
    expect_refusal(
        create(None, name, "n1"),
        "the token does not say on which node its agent runs",
    );
    create(on_n1, name, "(unknown)").unwrap();
    write(on_n1, "n1".into()).unwrap();
    // Who lets go takes out its own name only; who takes it over puts its own in.
    expect_refusal(
        write(on_n2, Value::Null),
        "the agent of node n2 may not say that n1 has let go of fenced-10-0-0-8",
    );
    expect_refusal(
        write(on_n2, "n3".into()),
        "the agent of node n2 may not say that n3 holds fenced-10-0-0-8",
    );
    write(on_n2, "n2".into()).unwrap();
    write(on_n2, Value::Null).unwrap();
}

fn an_agent_has_addresses_for_its_own_node_only(bed: &Bed) {
    let name = "10-0-0-8";
    let arguments = ["create", "--validate=false", "-f", "-"];
    with_token(bed, OPERATOR, None, &arguments, &claim(name, "10.0.0.8")).unwrap();
    let on_n2 = agent_on(bed, "n2");
    let (on_n1, on_n2) = (Some("agent-on-n1"), Some(on_n2.as_str()));
    // As agents do: each under the one name of all, so that what one applies takes the place of what another one did.
    let apply = |pod: Option<&str>, manager: &str, metadata: &Value, status: &Value| {
        let mut object = json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "ExternalIP",
            "metadata": metadata,
            "status": status,
        });
        object["metadata"]["name"] = name.into();
        let manager = format!("--field-manager={manager}");
        let arguments = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--subresource=status",
            "--validate=false",
            &manager,
            "-f",
            "-",
        ];
        with_token(bed, AGENT, pod, &arguments, &object)
    };
    let say = |pod: Option<&str>, status: Value| apply(pod, "mooring-agent", &json!({}), &status);
    let has = |node: &str| json!({"node": node, "interface": "eth0", "method": "Responder"});
    let waits = json!({"conditions": [{
        "type": "Announced",
        "status": "False",
        "reason": "ProxyNotProgrammed",
        "message": "Not yet.",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }]});

    // Nobody has it yet: who shall have it says why not.
    say(on_n1, waits.clone()).unwrap();
    expect_refusal(
        say(on_n1, has("n2")),
        "the agent of node n1 may not say that n2 has 10.0.0.8",
    );
    expect_refusal(
        say(None, has("n1")),
        "the token does not say on which node its agent runs",
    );
    say(on_n1, has("n1")).unwrap();
    let status = external_ip(bed, name)["status"].take();
    assert_eq!(status["node"], "n1");
    let conditions = status["conditions"].as_array();
    assert!(conditions.is_none_or(Vec::is_empty), "{status}");

    // Another node can take it over, but not take it away.
    for left in [json!({"conditions": []}), waits.clone()] {
        expect_refusal(
            say(on_n2, left),
            "the agent of node n2 may not say that n1 has let go of 10.0.0.8",
        );
    }
    expect_refusal(
        say(on_n2, has("n3")),
        "the agent of node n2 may not say that n3 has 10.0.0.8",
    );
    say(on_n2, has("n2")).unwrap();

    // The node that shall have it takes the other one's name out while it says why it waits, and no name but its own in.
    plan(bed, name, "n1");
    expect_refusal(
        say(on_n1, has("n3")),
        "the agent of node n1 may not say that n3 has 10.0.0.8",
    );
    expect_refusal(
        say(None, waits.clone()),
        "the token does not say on which node its agent runs",
    );
    say(on_n1, waits).unwrap();
    let status = external_ip(bed, name)["status"].take();
    assert_eq!(status["node"], Value::Null);
    assert_eq!(status["conditions"][0]["reason"], "ProxyNotProgrammed");
    say(on_n2, has("n2")).unwrap();
    plan(bed, name, "n2");
    expect_refusal(
        say(on_n1, json!({"conditions": []})),
        "the agent of node n1 may not say that n2 has let go of 10.0.0.8",
    );

    // A witness says what it saw itself, and leaves the rest as it is.
    let saw = |witness: &str| json!({"seen": {"witness": witness, "time": "2026-01-02T03:04:05Z"}});
    let witness = |pod, seen: Value| apply(pod, "mooring-witness", &json!({}), &seen);
    witness(on_n1, saw("n1")).unwrap();
    expect_refusal(
        witness(on_n1, saw("n2")),
        "the agent of node n1 may not say what n2 saw of 10.0.0.8",
    );
    let stored = external_ip(bed, name);
    assert_eq!(stored["status"]["node"], "n2");
    assert_eq!(stored["status"]["seen"]["witness"], "n1");

    // One that lets go takes its own name out, and only if nothing was written since it looked.
    let version = |version: &Value| json!({"resourceVersion": version});
    let current = &stored["metadata"]["resourceVersion"];
    expect_refusal(
        apply(on_n2, "mooring-agent", &version(&"1".into()), &json!({})),
        "the object has been modified",
    );
    apply(on_n2, "mooring-agent", &version(current), &json!({})).unwrap();
    let stored = external_ip(bed, name);
    assert_eq!(stored["status"]["node"], Value::Null);
    assert_eq!(stored["status"]["seen"]["witness"], "n1");

    // The API server takes nothing but the status from a status. Where somebody lets agents write more, a policy does not.
    let more = json!({
        "labels": {"a": "b"},
        "annotations": {"example.com/a": "b"},
        "finalizers": ["example.com/other"],
    });
    apply(on_n1, "mooring-agent", &more, &has("n1")).unwrap();
    let stored = external_ip(bed, name);
    for field in ["labels", "annotations", "finalizers"] {
        assert_eq!(stored["metadata"][field], Value::Null, "{field}");
    }
    widen(bed);
    for (field, value) in more.as_object().unwrap() {
        let patch = json!({"metadata": {field: value}}).to_string();
        let arguments = ["patch", "xip", name, "--type=merge", "-p", &patch];
        expect_refusal(
            with_token(bed, AGENT, on_n1, &arguments, &Value::Null),
            "agents may change nothing of an ExternalIP but its status",
        );
    }
}

/// Plans an address for a node, as the operator does.
fn plan(bed: &Bed, name: &str, node: &str) {
    patch_as_operator(bed, &["xip", name], &json!({"spec": {"node": node}})).unwrap();
}

/// Lets agents patch whole ExternalIPs, as a mistake of an administrator might.
fn widen(bed: &Bed) {
    let account = format!("--serviceaccount={NAMESPACE}:{AGENT}");
    let resource = "--resource=externalips.mooring.dev";
    bed.kubectl(&["create", "clusterrole", "wide", "--verb=patch", resource])
        .unwrap();
    let bind = ["create", "clusterrolebinding", "wide"];
    bed.kubectl(&[&bind[..], &["--clusterrole=wide", &account]].concat())
        .unwrap();
    let user = format!("--as=system:serviceaccount:{NAMESPACE}:{AGENT}");
    let question = ["auth", "can-i", "patch", "externalips.mooring.dev", &user];
    Mooring::find(bed).wait_for("agents may patch ExternalIPs", || {
        bed.kubectl(&question).ok().map(drop)
    });
}
