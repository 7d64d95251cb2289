use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;

/// Every schema of a definition with the path to it.
fn schemas(crd: &CustomResourceDefinition) -> Vec<(String, &JSONSchemaProps)> {
    let mut found = Vec::new();
    for version in &crd.spec.versions {
        let root = version
            .schema
            .as_ref()
            .and_then(|schema| schema.open_api_v3_schema.as_ref())
            .expect("a schema");
        collect(crd.spec.names.singular.clone(), root, &mut found);
    }
    found
}

fn collect<'a>(
    path: Option<String>,
    schema: &'a JSONSchemaProps,
    found: &mut Vec<(String, &'a JSONSchemaProps)>,
) {
    let path = path.expect("a path");
    for (name, field) in schema.properties.iter().flatten() {
        collect(Some(format!("{path}.{name}")), field, found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(Some(format!("{path}[]")), items, found);
    }
    found.push((path, schema));
}

fn field(path: &str) -> JSONSchemaProps {
    crds()
        .iter()
        .flat_map(schemas)
        .find(|(found, _)| found == path)
        .map(|(_, schema)| schema.clone())
        .unwrap_or_else(|| panic!("no field {path}"))
}

#[test]
fn the_committed_files_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/crds");
    let committed: BTreeMap<String, String> = fs::read_dir(&folder)
        .expect("manifests/crds")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name in UTF-8");
            (
                name,
                fs::read_to_string(entry.path()).expect("a text in UTF-8"),
            )
        })
        .collect();
    let made: BTreeMap<String, String> = manifests()
        .expect("YAML")
        .into_iter()
        .map(|manifest| (manifest.file, manifest.text))
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&made));
    for (name, text) in &made {
        assert!(
            committed[name] == *text,
            "manifests/crds/{name} is not what src/api says: run scripts/crdgen"
        );
    }
}

#[test]
fn the_files_read_back_as_the_definitions() {
    for (crd, manifest) in crds().iter().zip(manifests().expect("YAML")) {
        let read: CustomResourceDefinition =
            serde_saphyr::from_str(&manifest.text).expect("YAML of a definition");
        assert_eq!(read, *crd);
    }
}

#[test]
fn every_field_is_documented_in_the_schema() {
    let crds = crds();
    let all: Vec<_> = crds.iter().flat_map(schemas).collect();
    assert!(all.len() > 60, "only {} schemas were found", all.len());
    for (path, schema) in all {
        let described = schema.description.as_deref().is_some_and(|text| {
            text.ends_with('.')
                || text
                    .lines()
                    .last()
                    .is_some_and(|line| line.starts_with("- "))
        });
        let plain_item = path.ends_with("[]") && schema.properties.is_none();
        assert!(
            described || plain_item,
            "{path}: {:?} is not a documentation",
            schema.description
        );
    }
}

#[test]
fn a_field_keeps_its_own_documentation_beside_that_of_its_type() {
    for (path, word) in [
        ("nodeproxystate.status.mode", "antreaProxyAll"),
        ("serviceproxy.status.lastRemediation.result", "under way"),
        (
            "serviceproxy.spec.strictARP.rollout.maxUnavailable",
            "rounded up",
        ),
        ("serviceproxy.spec.kubeProxy", "Leave it out"),
    ] {
        let description = field(path).description.unwrap_or_default();
        assert!(description.contains(word), "{path}: {description}");
    }
}

#[test]
fn no_field_is_nullable_and_formats_are_those_of_kubernetes() {
    let crds = crds();
    for (path, schema) in crds.iter().flat_map(schemas) {
        assert_eq!(schema.nullable, None, "{path}");
        if let Some(format) = &schema.format {
            let known = ["int32", "int64", "date-time"].contains(&format.as_str());
            assert!(known, "{path}: {format}");
        }
    }
}

#[test]
fn optional_fields_have_no_null_for_a_default() {
    let crds = crds();
    for (path, schema) in crds.iter().flat_map(schemas) {
        let default = schema.default.as_ref().map(|default| &default.0);
        assert_ne!(default, Some(&serde_json::Value::Null), "{path}");
        if path.starts_with("serviceproxy.status") || path.starts_with("nodeproxystate") {
            assert_eq!(default, None, "{path}: a status is what was seen");
        }
    }
}

#[test]
fn lines_are_joined_and_paragraphs_and_lists_are_kept() {
    assert_eq!(unwrapped("a\nb"), "a b");
    assert_eq!(unwrapped("a\n b\n\nc\nd"), "a b\n\nc d");
    assert_eq!(unwrapped("a\n- b\n- c"), "a\n- b\n- c");
    assert_eq!(unwrapped(""), "");
}
