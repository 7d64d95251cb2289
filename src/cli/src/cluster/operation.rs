//! What RBAC knows a request by, and what allows it.

use std::fmt;

use mooring_core::kube_proxy::snapshot::ObjectName;

use super::ClusterError;

/// Resources that are in no namespace.
const CLUSTER_SCOPED: [&str; 8] = [
    "nodes",
    "nodes/proxy",
    "namespaces",
    "servicecidrs",
    "serviceproxies",
    "nodeproxystates",
    "externalippools",
    "externalips",
];

/// One kind of request: what RBAC knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// `list`, `get`, `patch`, `delete`.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural name.
    pub resource: &'static str,
    /// `None`: cluster-wide.
    pub namespace: Option<String>,
    /// `None`: all of them.
    pub name: Option<String>,
}

// === impl Operation ===

impl Operation {
    /// On all objects of a resource, in one namespace or everywhere.
    pub(crate) fn list(
        group: &'static str,
        resource: &'static str,
        namespace: Option<&str>,
    ) -> Self {
        Self {
            verb: "list",
            group,
            resource,
            namespace: namespace.map(str::to_owned),
            name: None,
        }
    }

    /// On one object.
    pub(crate) fn on(
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        id: &ObjectName,
    ) -> Self {
        Self {
            verb,
            group,
            resource,
            namespace: Some(id.namespace.clone()),
            name: Some(id.name.clone()),
        }
    }

    /// On one object that is in no namespace.
    pub(crate) fn on_one(
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

    /// What the edit of a ConfigMap needs.
    pub(crate) fn patch_config_map(id: &ObjectName) -> Self {
        Self::on("patch", "", "configmaps", id)
    }

    /// What the restart of a DaemonSet needs.
    pub(crate) fn patch_daemon_set(id: &ObjectName) -> Self {
        Self::on("patch", "apps", "daemonsets", id)
    }

    /// What the restart of one pod needs.
    pub(crate) fn delete_pod(id: &ObjectName) -> Self {
        Self::on("delete", "", "pods", id)
    }

    /// The rule that a Role or ClusterRole has to contain.
    pub(crate) fn grant(&self) -> String {
        let names = match (&self.name, self.verb) {
            (Some(name), "get" | "patch") => format!(", resourceNames [{name:?}]"),
            _ => String::new(),
        };
        let kind = match &self.namespace {
            Some(namespace) => format!("a Role in namespace {namespace}"),
            None => "a ClusterRole".to_owned(),
        };
        format!(
            "{kind} with the rule apiGroups [{:?}], resources [{:?}]{names}, verbs [{:?}], bound to this user",
            self.group, self.resource, self.verb
        )
    }

    /// The command by which an administrator allows it. The API server's refusal says to whom.
    pub(crate) fn grant_command(&self, refusal: &str) -> String {
        let resource = if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        };
        let name = format!("mooring-{}-{}", self.verb, resource.replace('/', "-"));
        let only = match (&self.name, self.verb) {
            (Some(name), "get" | "patch") => format!(" --resource-name={name}"),
            _ => String::new(),
        };
        let (kind, space) = match &self.namespace {
            Some(namespace) => ("role", format!(" -n {namespace}")),
            None => ("clusterrole", String::new()),
        };
        let user = refusal
            .split_once("User \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(user, _)| user);
        let subject = match user {
            Some(user) => match user.strip_prefix("system:serviceaccount:") {
                Some(account) => format!("--serviceaccount={account}"),
                None => format!("--user={user}"),
            },
            None => "--user=USER".to_owned(),
        };
        format!(
            "kubectl create {kind} {name}{space} --verb={} --resource={resource}{only} && kubectl create {kind}binding \
             {name}{space} --{kind}={name} {subject}",
            self.verb
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None if CLUSTER_SCOPED.contains(&self.resource) => Ok(()),
            None => f.write_str(" in all namespaces"),
        }
    }
}

/// What is left out where something may not be read, or is not there: one line, with the command that changes it.
pub(crate) fn gap(what: &str, error: &ClusterError) -> Option<String> {
    match error {
        ClusterError::Forbidden { operation, message } => Some(format!(
            "{what}, as this user may not {operation}; to allow it: {}",
            operation.grant_command(message)
        )),
        ClusterError::NotFound { operation } => Some(format!(
            "{what}, as this cluster has no {}.{}; to have them: kubectl apply -k manifests/crds",
            operation.resource, operation.group
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_request_names_verb_resource_and_the_rule_that_is_missing() {
        let error = ClusterError::Forbidden {
            operation: Operation::patch_config_map(&ObjectName::new("kube-system", "kube-proxy")),
            message: "not allowed".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "cannot patch configmaps \"kube-proxy\" in namespace kube-system: not allowed\nTo allow it: a Role in namespace \
             kube-system with the rule apiGroups [\"\"], resources [\"configmaps\"], resourceNames [\"kube-proxy\"], verbs \
             [\"patch\"], bound to this user"
        );
        let forbidden = "externalips.mooring.dev is forbidden: User \"jane\" cannot list resource \"externalips\"";
        assert_eq!(
            gap(
                "addresses are not shown",
                &ClusterError::Forbidden {
                    operation: Operation::list("mooring.dev", "externalips", None),
                    message: forbidden.to_owned(),
                }
            )
            .as_deref(),
            Some(
                "addresses are not shown, as this user may not list externalips; to allow it: kubectl create clusterrole \
                 mooring-list-externalips.mooring.dev --verb=list --resource=externalips.mooring.dev && kubectl create \
                 clusterrolebinding mooring-list-externalips.mooring.dev --clusterrole=mooring-list-externalips.mooring.dev --user=jane"
            )
        );
        let named = Operation::patch_config_map(&ObjectName::new("kube-system", "kube-proxy"));
        assert_eq!(
            named.grant_command("User \"system:serviceaccount:ci:deployer\" cannot"),
            "kubectl create role mooring-patch-configmaps -n kube-system --verb=patch --resource=configmaps \
             --resource-name=kube-proxy && kubectl create rolebinding mooring-patch-configmaps -n kube-system \
             --role=mooring-patch-configmaps --serviceaccount=ci:deployer"
        );
        let list = Operation::list("apps", "daemonsets", None);
        assert_eq!(list.to_string(), "list daemonsets in all namespaces");
        assert!(list.grant().starts_with("a ClusterRole with"));
    }
}
