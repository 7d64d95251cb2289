//! The words of a decision: what was decided, why, and what else the reader should know.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is to be done with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The text was edited, and the edit is proved: write the new text.
    Patched,
    /// kube-proxy already reads `ipvs.strictARP: true`: write nothing.
    Already,
    /// The configured mode does not look at `ipvs.strictARP`: write nothing.
    NotNeeded,
    /// Nothing could be proved, or kube-proxy would not start with this text: write nothing, a person has to look.
    Refused,
}

impl Verdict {
    /// The verdict as it is printed and serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patched => "patched",
            Self::Already => "already",
            Self::NotNeeded => "notNeeded",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a verdict is what it is. Prints and serialises as the name of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Reason {
    /// Patched: the value of an existing `strictARP` key was replaced.
    ValueReplaced,
    /// Patched: the key `strictARP` was added to an existing `ipvs` section.
    KeyAdded,
    /// Patched: an `ipvs` section with the key was added.
    SectionAdded,

    /// Already: kube-proxy reads true from this text.
    StrictArpIsTrue,

    /// Not needed: `mode` is unset, which never means ipvs.
    ModeUnset,
    /// Not needed: the mode is iptables.
    ModeIptables,
    /// Not needed: the mode is nftables.
    ModeNftables,
    /// Not needed: the mode is kernelspace, that of Windows nodes.
    ModeKernelspace,

    /// Refused: the bytes are not UTF-8.
    NotUtf8,
    /// Refused: there is a NUL byte.
    NulByte,
    /// Refused: there is a character that YAML forbids.
    ControlCharacter,
    /// Refused: a line break other than LF and CR LF, on which YAML parsers disagree.
    UnusualLineBreak,
    /// Refused: a tab where indentation is expected.
    TabIndentation,
    /// Refused: there is no configuration in the text, or none in its first document.
    NoConfiguration,
    /// Refused: a `%` directive other than `%YAML 1.1`.
    Directive,
    /// Refused: the text is not YAML, for kube-proxy or for the parsers that prove an edit.
    NotYaml,
    /// Refused: the text starts with `{`, so that kube-proxy reads it as JSON, and it is not JSON.
    NotJson,
    /// Refused: something follows the JSON object.
    TrailingData,
    /// Refused: YAML that is legal somewhere but that parsers do not read alike.
    Ambiguous,
    /// Refused: an unrendered template.
    Template,
    /// Refused: a tag other than the plain ones of YAML (`!!bool`, `!!str`, ...).
    UnsupportedTag,
    /// Refused: collections are nested too deeply.
    TooDeep,
    /// Refused: aliases blow the text up.
    ExcessiveAliases,
    /// Refused: a key that kube-proxy cannot turn into text (null, a list, a map, an alias).
    UnsupportedKey,
    /// Refused: a merge key `<<` whose value is neither a map nor a list of maps.
    InvalidMerge,
    /// Refused: infinity or not-a-number, which kube-proxy cannot turn into JSON.
    NotANumber,
    /// Refused: the configuration is not a map.
    NotAMap,
    /// Refused: `kind` is missing.
    MissingKind,
    /// Refused: `apiVersion` is missing.
    MissingApiVersion,
    /// Refused: `kind` is not `KubeProxyConfiguration`.
    WrongKind,
    /// Refused: `apiVersion` is not `kubeproxy.config.k8s.io/v1alpha1`.
    UnsupportedApiVersion,
    /// Refused: the configuration is not the first document, the only one that kube-proxy reads.
    NotFirstDocument,
    /// Refused: more than one document is a `KubeProxyConfiguration`.
    SeveralConfigurations,
    /// Refused: a key that decides is there twice.
    DuplicateKey,
    /// Refused: a known field has a value of the wrong type.
    WrongType,
    /// Refused: a known field has a value that kube-proxy does not accept.
    InvalidValue,
    /// Refused: `mode` is not a mode.
    UnknownMode,
    /// Refused: the value of `strictARP` is not a boolean.
    NotABoolean,
    /// Refused: the place to edit is used elsewhere too, by an anchor and its alias.
    Shared,
    /// Refused: the `ipvs` section comes from a merge key, and adding one would hide it.
    Merged,
    /// Refused: a merge key behind `strictARP` overrides it in kube-proxy.
    MergeOverrides,
    /// Refused: no place was found where the edit would stay within the line.
    NoPlace,
    /// Refused: an edit was made, but the proof that nothing else changes failed.
    NotProved,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// What a warning is about. Prints and serialises as the name of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum WarningReason {
    /// `yes`, `on` or `y`: true for kube-proxy, a string for many other tools.
    Yaml11Boolean,
    /// The value was a quoted boolean: a string, with which kube-proxy does not start.
    QuotedBoolean,
    /// A comment on the edited line may say why the value was what it was.
    CommentOnLine,
    /// A key that differs from a known one only in case or separators; kube-proxy ignores it.
    KeyTypo,
    /// `strictARP` outside the `ipvs` section; kube-proxy ignores it.
    MisplacedKey,
    /// The mode that is live differs from the configured one.
    ModeMismatch,
    /// `mode` is unset, so that the version of kube-proxy decides.
    ModeUnset,
    /// A key is there twice; kube-proxy takes the last one.
    DuplicateKey,
    /// The edit was forced although the mode does not look at `strictARP`.
    ForcedMode,
}

impl fmt::Display for WarningReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}
