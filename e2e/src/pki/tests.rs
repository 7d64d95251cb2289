use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

/// A directory of one test, removed when dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("testbed-pki-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// openssl is a second opinion on what rcgen wrote.
fn openssl(arguments: &[&str], scratch: &Scratch) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(&scratch.0)
        .output()
        .expect("openssl");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "openssl {}: {complaint}",
        arguments.join(" ")
    );
    String::from_utf8(output.stdout).unwrap()
}

fn text_of(identity: &Identity, scratch: &Scratch) -> String {
    identity.write(&scratch.0, "it").unwrap();
    openssl(
        &[
            "x509", "-in", "it.crt", "-noout", "-text", "-nameopt", "RFC2253",
        ],
        scratch,
    )
}

fn all(ca: &ClusterCa) -> Vec<(&'static str, &'static str, Identity)> {
    let addresses = [IpAddr::from([10, 77, 0, 11])];
    vec![
        (
            "sslserver",
            "CN=kube-apiserver",
            ca.api_server(&addresses).unwrap(),
        ),
        (
            "sslclient",
            "CN=kube-apiserver-kubelet-client,O=system:masters",
            ca.kubelet_client().unwrap(),
        ),
        (
            "sslclient",
            "CN=kubernetes-admin,O=system:masters",
            ca.admin().unwrap(),
        ),
        (
            "sslclient",
            "CN=system:node:n1,O=system:nodes",
            ca.node("n1").unwrap(),
        ),
        (
            "sslserver",
            "CN=system:node:n1",
            ca.kubelet_server("n1", &addresses).unwrap(),
        ),
        (
            "sslclient",
            "CN=system:kube-controller-manager",
            ca.controller_manager().unwrap(),
        ),
        (
            "sslclient",
            "CN=system:kube-scheduler",
            ca.scheduler().unwrap(),
        ),
    ]
}

#[test]
fn the_authority_vouches_for_every_certificate_and_its_purpose() {
    let scratch = Scratch::new("verify");
    let ca = ClusterCa::new("kubernetes").unwrap();
    ca.identity().write(&scratch.0, "ca").unwrap();
    for (purpose, subject, identity) in all(&ca) {
        let text = text_of(&identity, &scratch);
        assert!(
            text.contains(&format!("Subject: {subject}\n")),
            "{subject}: {text}"
        );
        assert!(
            text.contains("Issuer: CN=kubernetes\n"),
            "{subject}: {text}"
        );
        let verify = ["verify", "-x509_strict", "-CAfile", "ca.crt", "-purpose"];
        openssl(&[&verify[..], &[purpose, "it.crt"]].concat(), &scratch);
        // The key belongs to the certificate.
        assert_eq!(
            openssl(&["x509", "-in", "it.crt", "-noout", "-pubkey"], &scratch),
            openssl(&["pkey", "-in", "it.key", "-pubout"], &scratch),
            "{subject}"
        );
    }
}

#[test]
fn another_authority_of_the_same_name_does_not_vouch_for_them() {
    let scratch = Scratch::new("other");
    let admin = ClusterCa::new("kubernetes").unwrap().admin().unwrap();
    admin.write(&scratch.0, "admin").unwrap();
    ClusterCa::new("kubernetes")
        .unwrap()
        .identity()
        .write(&scratch.0, "ca")
        .unwrap();
    let verified = Command::new("openssl")
        .args(["verify", "-CAfile", "ca.crt", "admin.crt"])
        .current_dir(&scratch.0)
        .output()
        .unwrap();
    assert!(!verified.status.success());
}

#[test]
fn the_api_server_is_known_by_all_its_names() {
    let scratch = Scratch::new("names");
    let ca = ClusterCa::new("kubernetes").unwrap();
    let addresses: Vec<IpAddr> = ["10.77.0.2", "10.96.0.1", "fd96::1"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    let text = text_of(&ca.api_server(&addresses).unwrap(), &scratch);
    assert!(
        text.contains(
            "DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, \
             DNS:kubernetes.default.svc.cluster.local, DNS:localhost, \
             IP Address:10.77.0.2, IP Address:10.96.0.1, IP Address:FD96:0:0:0:0:0:0:1, \
             IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n"
        ),
        "{text}"
    );
}

#[test]
fn certificates_are_valid_now_and_for_ten_years() {
    let scratch = Scratch::new("time");
    let ca = ClusterCa::new("kubernetes").unwrap();
    ca.admin().unwrap().write(&scratch.0, "it").unwrap();
    let ends_within = |seconds: u64| {
        let seconds = seconds.to_string();
        !Command::new("openssl")
            .args(["x509", "-in", "it.crt", "-noout", "-checkend", &seconds])
            .current_dir(&scratch.0)
            .output()
            .unwrap()
            .status
            .success()
    };
    let ten_years = VALIDITY.as_secs();
    assert!(!ends_within(ten_years - 2 * 3600));
    assert!(ends_within(ten_years));
    // Half an hour ago it was valid already.
    ca.identity().write(&scratch.0, "ca").unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let then = (now - 1800).to_string();
    openssl(
        &["verify", "-attime", &then, "-CAfile", "ca.crt", "it.crt"],
        &scratch,
    );
}

#[test]
fn serial_numbers_differ() {
    let scratch = Scratch::new("serial");
    let ca = ClusterCa::new("kubernetes").unwrap();
    let mut serials = BTreeSet::new();
    let mut identities: Vec<Identity> = all(&ca).into_iter().map(|(.., it)| it).collect();
    identities.extend([ca.identity(), ca.admin().unwrap(), ca.admin().unwrap()]);
    for identity in &identities {
        identity.write(&scratch.0, "it").unwrap();
        serials.insert(openssl(
            &["x509", "-in", "it.crt", "-noout", "-serial"],
            &scratch,
        ));
    }
    assert_eq!(serials.len(), identities.len(), "{serials:?}");
}

#[test]
fn the_public_service_account_key_belongs_to_the_private_one() {
    let scratch = Scratch::new("sa");
    let key = ServiceAccountKey::generate().unwrap();
    key.write(&scratch.0, "sa").unwrap();
    assert!(key.private_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(key.public_pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    let public = openssl(&["pkey", "-in", "sa.key", "-pubout"], &scratch);
    assert_eq!(
        public.replace('\r', "").trim(),
        key.public_pem.replace('\r', "").trim()
    );
}

#[test]
fn private_keys_are_for_their_owner_only() {
    let scratch = Scratch::new("mode");
    let ca = ClusterCa::new("kubernetes").unwrap();
    ca.identity().write(&scratch.0, "ca").unwrap();
    ServiceAccountKey::generate()
        .unwrap()
        .write(&scratch.0, "sa")
        .unwrap();
    for name in ["ca.key", "sa.key"] {
        let mode = fs::metadata(scratch.0.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_name_that_cannot_stand_in_a_certificate_is_refused() {
    let ca = ClusterCa::new("kubernetes").unwrap();
    let error = ca.server("it", &["n\u{f6}de"], &[]).err().unwrap();
    assert!(matches!(error, PkiError::BadName { .. }), "{error}");
}

#[test]
fn a_kubeconfig_holds_everything() {
    let config = kubeconfig("https://[fd77::2]:6443", "ca", "cert", "key");
    assert_eq!(
        config,
        "apiVersion: v1\nkind: Config\nclusters:\n- name: testbed\n  cluster:\n    \
         certificate-authority-data: Y2E=\n    server: \"https://[fd77::2]:6443\"\nusers:\n\
         - name: testbed\n  user:\n    client-certificate-data: Y2VydA==\n    \
         client-key-data: a2V5\ncontexts:\n- name: testbed\n  context:\n    cluster: testbed\n    \
         user: testbed\ncurrent-context: testbed\n"
    );
}
