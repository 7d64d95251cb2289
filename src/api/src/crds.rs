//! The CustomResourceDefinitions, as objects and as the files under `manifests/crds`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::{ExternalIP, ExternalIPPool, NodeProxyState, ServiceProxy};

/// A file for `kubectl apply -f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name in the folder `manifests/crds`.
    pub file: String,
    /// Its content.
    pub text: String,
}

/// All CustomResourceDefinitions of Mooring.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut service_proxy = ServiceProxy::crd();
    let mut node_proxy_state = NodeProxyState::crd();
    for_each_root(&mut service_proxy, |root| {
        if let Some(spec) = root
            .properties
            .as_mut()
            .and_then(|fields| fields.get_mut("spec"))
        {
            // The API server fills it in; the types, which require it, see objects only after that.
            spec.default = Some(JSON(json!({})));
        }
        root.required = None;
        tidy(root);
    });
    let mut pool = ExternalIPPool::crd();
    let mut address = ExternalIP::crd();
    for crd in [&mut node_proxy_state, &mut pool, &mut address] {
        for_each_root(crd, tidy);
    }
    vec![service_proxy, node_proxy_state, pool, address]
}

/// The same as files.
///
/// # Errors
/// If a definition cannot be written as YAML.
pub fn manifests() -> Result<Vec<Manifest>, serde_saphyr::SerializeError> {
    crds()
        .iter()
        .map(|crd| {
            let yaml = serde_saphyr::to_string(crd)?;
            Ok(Manifest {
                file: format!("{}.yaml", crd.spec.names.plural),
                text: format!(
                    "# Made from src/api by scripts/crdgen.\n{}\n",
                    yaml.trim_end()
                ),
            })
        })
        .collect()
}

fn for_each_root(crd: &mut CustomResourceDefinition, change: impl Fn(&mut JSONSchemaProps)) {
    crd.spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut())
        .filter_map(|schema| schema.open_api_v3_schema.as_mut())
        .for_each(change);
}

/// Makes a schema that was derived from Rust types say what Kubernetes means:
///
/// - `null` stands for "not set", as in built-in types, so that defaults replace it: fields are not nullable;
/// - formats are those that the API server knows (it warns about others);
/// - a paragraph or list item of a description is one line, which `kubectl explain` wraps.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if schema
        .format
        .as_deref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = None;
    }
    if let Some(description) = &mut schema.description {
        *description = unwrapped(description);
    }
    if let Some(properties) = &mut schema.properties {
        properties.values_mut().for_each(tidy);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// Joins the lines of a text, except before an empty line or a list item.
fn unwrapped(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines().map(str::trim) {
        let starts = line.is_empty() || line.starts_with("- ") || joined.ends_with('\n');
        if !joined.is_empty() {
            joined.push(if starts { '\n' } else { ' ' });
        }
        joined.push_str(line);
    }
    joined
}

#[cfg(test)]
mod tests;
