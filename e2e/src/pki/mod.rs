//! The certificates and keys of a cluster, as kubeadm lays them out: one authority, and a
//! certificate for each component that names it in the subject.
//!
//! The API server takes a client's common name for the user and its organisation for the group,
//! so a certificate is also the component's permissions.
//!
//! Keys are ECDSA P-256, as they take a millisecond to make. Everything is valid from an hour ago
//! (a node's clock may be behind) for ten years.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};

pub mod base64;

const CLOCK_SLACK: Duration = Duration::from_secs(3600);
const VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The names under which Pods and the control plane itself reach the API server.
const API_SERVER_NAMES: [&str; 5] = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
];

/// Members may do everything; the API server grants it before it looks at any role.
const MASTERS: &str = "system:masters";

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A name for a certificate's subject or alternative names has other letters than ASCII.
    #[error("{name:?} cannot be a DNS name in a certificate")]
    BadName {
        /// The name.
        name: String,
    },
    /// The machine's clock is unusable.
    #[error("the clock of this machine is before 1970, so no certificate would ever be valid")]
    Clock,
    /// The cryptography library refuses.
    #[error("no certificate for {subject}: {source}")]
    Crypto {
        /// Whose certificate or key it would have been.
        subject: String,
        /// What the library says.
        source: rcgen::Error,
    },
}

/// A certificate with its private key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate (`CERTIFICATE`).
    pub cert_pem: String,
    /// Its private key in PKCS #8 (`PRIVATE KEY`).
    pub key_pem: String,
}

impl Identity {
    /// Writes `NAME.crt`, and `NAME.key` for the owner only, into `dir`.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        fs::write(dir.join(format!("{name}.crt")), &self.cert_pem)?;
        write_secret(&dir.join(format!("{name}.key")), &self.key_pem)
    }
}

/// The key pair that signs the tokens of service accounts.
#[derive(Clone)]
pub struct ServiceAccountKey {
    /// For `--service-account-signing-key-file` and the controller manager's
    /// `--service-account-private-key-file` (`PRIVATE KEY`).
    pub private_pem: String,
    /// For `--service-account-key-file` (`PUBLIC KEY`).
    pub public_pem: String,
}

impl ServiceAccountKey {
    /// A new key pair. Tokens are then signed with ES256.
    pub fn generate() -> Result<Self, PkiError> {
        let key = new_key("service accounts")?;
        Ok(Self {
            private_pem: key.serialize_pem(),
            public_pem: key.public_key_pem(),
        })
    }

    /// Writes `NAME.pub`, and `NAME.key` for the owner only, into `dir`.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        fs::write(dir.join(format!("{name}.pub")), &self.public_pem)?;
        write_secret(&dir.join(format!("{name}.key")), &self.private_pem)
    }
}

/// The authority that every component of a cluster trusts.
pub struct ClusterCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl ClusterCa {
    /// A new authority; kubeadm calls it `kubernetes`.
    pub fn new(name: &str) -> Result<Self, PkiError> {
        let mut params = params(name, None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        let issuer = CertifiedIssuer::self_signed(params, new_key(name)?)
            .map_err(|source| crypto(name, source))?;
        Ok(Self { issuer })
    }

    /// The authority's own certificate, and the key with which the controller manager signs the
    /// requests of kubelets.
    pub fn identity(&self) -> Identity {
        Identity {
            cert_pem: self.cert_pem(),
            key_pem: self.issuer.key().serialize_pem(),
        }
    }

    /// The authority's own certificate, for `--client-ca-file` and kubeconfigs.
    pub fn cert_pem(&self) -> String {
        self.issuer.pem()
    }

    /// For a server that is reached under these names and addresses.
    pub fn server(
        &self,
        common_name: &str,
        names: &[&str],
        addresses: &[IpAddr],
    ) -> Result<Identity, PkiError> {
        let mut params = params(common_name, None)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = alternatives(names, addresses)?;
        self.issue(common_name, params)
    }

    /// For a client that is `user`, as a member of `group`.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity, PkiError> {
        let mut params = params(user, group)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(user, params)
    }

    /// The API server's own, for the usual names in the cluster, localhost and `addresses`: the
    /// one it advertises and the first one of each Service range.
    pub fn api_server(&self, addresses: &[IpAddr]) -> Result<Identity, PkiError> {
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        self.server(
            "kube-apiserver",
            &API_SERVER_NAMES,
            &[addresses, &loopback].concat(),
        )
    }

    /// With which the API server asks kubelets for logs and terminals.
    pub fn kubelet_client(&self) -> Result<Identity, PkiError> {
        self.client("kube-apiserver-kubelet-client", Some(MASTERS))
    }

    /// An administrator's, who may do everything without any role.
    pub fn admin(&self) -> Result<Identity, PkiError> {
        self.client("kubernetes-admin", Some(MASTERS))
    }

    /// A kubelet's, with which it is the node of that name.
    pub fn node(&self, name: &str) -> Result<Identity, PkiError> {
        self.client(&format!("system:node:{name}"), Some("system:nodes"))
    }

    /// With which a kubelet serves logs and terminals.
    pub fn kubelet_server(&self, name: &str, addresses: &[IpAddr]) -> Result<Identity, PkiError> {
        self.server(&format!("system:node:{name}"), &[name], addresses)
    }

    /// The controller manager's.
    pub fn controller_manager(&self) -> Result<Identity, PkiError> {
        self.client("system:kube-controller-manager", None)
    }

    /// The scheduler's.
    pub fn scheduler(&self) -> Result<Identity, PkiError> {
        self.client("system:kube-scheduler", None)
    }

    fn issue(&self, subject: &str, mut params: CertificateParams) -> Result<Identity, PkiError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        // The serial number is left to rcgen, which takes it from a hash of the public key:
        // different for every certificate, as every certificate has a key of its own.
        let key = new_key(subject)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|source| crypto(subject, source))?;
        Ok(Identity {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

/// A kubeconfig with everything in it, so that it can be copied into a node.
///
/// `server` is a URL as in `https://10.77.0.2:6443`.
pub fn kubeconfig(server: &str, ca_pem: &str, cert_pem: &str, key_pem: &str) -> String {
    let [ca, cert, key] = [ca_pem, cert_pem, key_pem].map(|pem| base64::encode(pem.as_bytes()));
    // As a JSON string it is also a YAML string, whatever is in it.
    let server = serde_json::Value::from(server);
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- name: testbed
  cluster:
    certificate-authority-data: {ca}
    server: {server}
users:
- name: testbed
  user:
    client-certificate-data: {cert}
    client-key-data: {key}
contexts:
- name: testbed
  context:
    cluster: testbed
    user: testbed
current-context: testbed
"
    )
}

fn params(common_name: &str, group: Option<&str>) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    if let Some(group) = group {
        subject.push(DnType::OrganizationName, group);
    }
    subject.push(DnType::CommonName, common_name);
    params.distinguished_name = subject;

    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| PkiError::Clock)?;
    let start = rcgen::date_time_ymd(1970, 1, 1) + now.saturating_sub(CLOCK_SLACK);
    params.not_before = start;
    params.not_after = start + VALIDITY;
    Ok(params)
}

fn alternatives(names: &[&str], addresses: &[IpAddr]) -> Result<Vec<SanType>, PkiError> {
    let mut all = Vec::with_capacity(names.len() + addresses.len());
    for name in names {
        let dns = (*name).try_into().map_err(|_| PkiError::BadName {
            name: (*name).to_owned(),
        })?;
        all.push(SanType::DnsName(dns));
    }
    all.extend(addresses.iter().copied().map(SanType::IpAddress));
    Ok(all)
}

fn new_key(subject: &str) -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|source| crypto(subject, source))
}

fn crypto(subject: &str, source: rcgen::Error) -> PkiError {
    PkiError::Crypto {
        subject: subject.to_owned(),
        source,
    }
}

/// A file that only its owner may read, from the moment it exists.
fn write_secret(path: &Path, contents: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(contents.as_bytes())
}

#[cfg(test)]
mod tests;
