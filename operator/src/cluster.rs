//! The API server: a connection, and errors that say what was tried, what came back and how to allow it.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use mooring_api::causes;

use crate::args::Arguments;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A request that takes longer is given up; a watch is none.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The name under which the API server records our writes.
pub(crate) const FIELD_MANAGER: &str = "mooring-operator";

/// A cluster's API.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// For requests that [`bounded`] watches over, and for watches.
    pub client: Client,
    /// The namespace of the operator.
    pub namespace: String,
    /// The API server's address.
    pub server: String,
}

/// One kind of request: what RBAC knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// As in RBAC, such as `patch`.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural name, with a subresource behind a slash.
    pub resource: &'static str,
    /// `None`: cluster-wide.
    pub namespace: Option<String>,
    /// `None`: all of them, or the name is not known before.
    pub name: Option<String>,
}

/// Why a request failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ApiError {
    /// Not allowed.
    #[error("cannot {operation}: {message}. To allow it: {}", operation.grant(message))]
    Forbidden {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
    /// The object is not the one that was decided on.
    #[error("cannot {operation}: somebody else changed it in the meantime: {message}")]
    Conflict {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
    /// No such object, or no such kind.
    #[error("cannot {operation}: {message}")]
    NotFound {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
    /// No answer, or none that is one.
    #[error("cannot {operation}: the API server does not answer: {message}")]
    Unreachable {
        /// What was tried.
        operation: Operation,
        /// The reason, down to its cause.
        message: String,
    },
    /// Anything else that the API server said.
    #[error("cannot {operation}: {message}")]
    Refused {
        /// What was tried.
        operation: Operation,
        /// The API server's words.
        message: String,
    },
}

/// Makes a request and gives up on time, whatever the connection does.
pub(crate) async fn bounded<T>(
    operation: Operation,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ApiError::new(operation, &error)),
        Err(_) => Err(ApiError::Unreachable {
            operation,
            message: format!("no answer within {} seconds", REQUEST_TIMEOUT.as_secs()),
        }),
    }
}

// === impl Cluster ===

impl Cluster {
    /// Connects as the command line says; no request is made yet.
    pub(crate) async fn connect(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut config = match &arguments.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path)
                    .with_context(|| format!("cannot read the kubeconfig {}", path.display()))?;
                Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                    .await
                    .with_context(|| format!("cannot use the kubeconfig {}", path.display()))?
            }
            None => Config::infer().await.context(
                "no cluster is configured: run in a Pod with a service account, give --kubeconfig or set KUBECONFIG",
            )?,
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let namespace = arguments
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        Ok(Self {
            client: Client::try_from(config).context("cannot set up the connection")?,
            namespace,
            server: server.trim_end_matches('/').to_owned(),
        })
    }
}

// === impl Operation ===

impl Operation {
    /// On one object of a namespace.
    pub(crate) fn on(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        namespace: &str,
        name: &str,
    ) -> Self {
        Self {
            verb,
            group,
            resource,
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
        }
    }

    /// On one object that belongs to no namespace.
    pub(crate) fn on_global(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        name: &str,
    ) -> Self {
        Self {
            verb,
            group,
            resource,
            namespace: None,
            name: Some(name.to_owned()),
        }
    }

    /// On the objects of a resource, in one namespace or everywhere.
    pub(crate) fn of(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        namespace: Option<&str>,
    ) -> Self {
        Self {
            verb,
            group,
            resource,
            namespace: namespace.map(str::to_owned),
            name: None,
        }
    }

    /// The command that allows it. The user is taken from the API server's refusal, which names it.
    pub(crate) fn grant(&self, refusal: &str) -> String {
        let resource = match self.group {
            "" => self.resource.to_owned(),
            group => match self.resource.split_once('/') {
                Some((resource, subresource)) => format!("{resource}.{group}/{subresource}"),
                None => format!("{}.{group}", self.resource),
            },
        };
        let verb = match self.verb {
            "watch" => "list,watch",
            verb => verb,
        };
        // `create` knows no name when it is asked for, so RBAC cannot narrow it down.
        let one = match (&self.name, self.verb) {
            (Some(name), verb) if verb != "create" => format!(" --resource-name={name}"),
            _ => String::new(),
        };
        let label = match &self.name {
            Some(name) => format!("mooring-{}-{name}", self.verb),
            None => format!("mooring-{}-{}", self.verb, self.resource.replace('/', "-")),
        };
        let subject = subject(refusal);
        match &self.namespace {
            Some(namespace) => format!(
                "kubectl -n {namespace} create role {label} --verb={verb} --resource={resource}{one} && kubectl -n \
                 {namespace} create rolebinding {label} --role={label} {subject}"
            ),
            None => format!(
                "kubectl create clusterrole {label} --verb={verb} --resource={resource}{one} && kubectl create \
                 clusterrolebinding {label} --clusterrole={label} {subject}"
            ),
        }
    }
}

/// The flag of `kubectl create rolebinding` for the user in `User "x" cannot ...`.
fn subject(refusal: &str) -> String {
    let user = refusal
        .split_once("User \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(user, _)| user);
    match user {
        Some(user) => match user.strip_prefix("system:serviceaccount:") {
            Some(account) => format!("--serviceaccount={account}"),
            None => format!("--user={user}"),
        },
        None => "--serviceaccount=NAMESPACE:NAME".to_owned(),
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

// === impl ApiError ===

impl ApiError {
    /// From what the client says.
    pub(crate) fn new(operation: Operation, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let message = status.message.clone();
                match status.code {
                    // A JSON patch whose `test` fails.
                    422 if operation.verb == "patch" => Self::Conflict { operation, message },
                    403 => Self::Forbidden { operation, message },
                    404 => Self::NotFound { operation, message },
                    409 => Self::Conflict { operation, message },
                    429 | 500.. => Self::Unreachable { operation, message },
                    _ => Self::Refused { operation, message },
                }
            }
            other => Self::Unreachable {
                operation,
                message: causes(other),
            },
        }
    }

    /// What was tried.
    pub(crate) fn operation(&self) -> &Operation {
        match self {
            Self::Forbidden { operation, .. }
            | Self::Conflict { operation, .. }
            | Self::NotFound { operation, .. }
            | Self::Unreachable { operation, .. }
            | Self::Refused { operation, .. } => operation,
        }
    }

    /// What metrics call it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "Forbidden",
            Self::Conflict { .. } => "Conflict",
            Self::NotFound { .. } => "NotFound",
            Self::Unreachable { .. } => "Unreachable",
            Self::Refused { .. } => "Refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: &str = "configmaps \"talos-proxy\" is forbidden: User \
                           \"system:serviceaccount:mooring-system:mooring-operator\" cannot patch resource";

    #[test]
    fn a_refusal_comes_with_the_command_that_allows_it() {
        let patch = Operation::on("patch", "", "configmaps", "kube-system", "talos-proxy");
        assert_eq!(
            patch.grant(REFUSAL),
            "kubectl -n kube-system create role mooring-patch-talos-proxy --verb=patch --resource=configmaps \
             --resource-name=talos-proxy && kubectl -n kube-system create rolebinding mooring-patch-talos-proxy \
             --role=mooring-patch-talos-proxy --serviceaccount=mooring-system:mooring-operator"
        );
    }

    #[test]
    fn a_watch_is_granted_together_with_its_list() {
        let watch = Operation::of("watch", "apps", "daemonsets", None);
        let grant = watch.grant("User \"jane\" cannot list resource");
        assert!(
            grant.contains("--verb=list,watch --resource=daemonsets.apps"),
            "{grant}"
        );
        assert!(grant.ends_with("--user=jane"), "{grant}");
    }

    #[test]
    fn a_subresource_is_spelt_as_kubectl_wants_it() {
        let status =
            Operation::on_global("update", "mooring.dev", "serviceproxies/status", "cluster");
        assert!(
            status
                .grant("")
                .contains("--resource=serviceproxies.mooring.dev/status")
        );
    }
}
