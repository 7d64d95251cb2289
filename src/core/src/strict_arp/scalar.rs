//! What a scalar means to kube-proxy: YAML 1.1 as its decoder reads it, then JSON.

use super::tree::Style;

/// The tags that are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Bool,
    Float,
    Int,
    Null,
    Str,
    Map,
    Seq,
}

impl Tag {
    /// The tag of YAML's own with this short name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "float" => Self::Float,
            "int" => Self::Int,
            "null" => Self::Null,
            "str" => Self::Str,
            "map" => Self::Map,
            "seq" => Self::Seq,
            _ => return None,
        })
    }
}

/// A scalar, decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
}

impl Value<'_> {
    fn tag(self) -> Tag {
        match self {
            Value::Null => Tag::Null,
            Value::Bool(_) => Tag::Bool,
            Value::Int(_) => Tag::Int,
            Value::Float(_) => Tag::Float,
            Value::Text(_) => Tag::Str,
        }
    }

    /// What it is, in words.
    pub(super) fn describe(self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Int(value) => format!("the number {value}"),
            Value::Float(value) => format!("the number {value}"),
            Value::Text(text) if text.len() > 40 => "a text".into(),
            Value::Text(text) => format!("the text {text:?}"),
        }
    }
}

/// The text does not fit its tag, with which kube-proxy does not start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TagMismatch;

/// Decodes a scalar.
pub(super) fn resolve<'a>(
    text: &'a str,
    style: Style,
    tag: Option<Tag>,
    json: bool,
) -> Result<Value<'a>, TagMismatch> {
    if json {
        return Ok(match style {
            Style::Plain => json_literal(text),
            _ => Value::Text(text),
        });
    }
    match tag {
        None if style == Style::Plain => Ok(plain(text)),
        None | Some(Tag::Str) => Ok(Value::Text(text)),
        Some(tag) => match (tag, plain(text)) {
            (Tag::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
            (_, value) if value.tag() == tag => Ok(value),
            _ => Err(TagMismatch),
        },
    }
}

/// The spellings of true and false in YAML 1.1, as kube-proxy's decoder has them; mixed case is text.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Some(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Some(false)
        }
        _ => None,
    }
}

fn json_literal(text: &str) -> Value<'_> {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        number => match number.parse() {
            Ok(value) => Value::Int(value),
            // Go's decoder takes no fraction or exponent for a whole number, even if nothing is lost.
            Err(_) => Value::Float(f64::NAN),
        },
    }
}

fn plain(text: &str) -> Value<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Value::Bool(value);
    }
    if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        let bare: String = text.chars().filter(|&character| character != '_').collect();
        if !text.starts_with('.')
            && let Some(value) = whole_number(&bare)
        {
            return Value::Int(value);
        }
        let number = if text.starts_with('.') {
            text
        } else {
            bare.as_str()
        };
        if is_decimal(number)
            && let Ok(value) = number.parse::<f64>()
            && value.is_finite()
        {
            return Value::Float(value);
        }
    }
    Value::Text(text)
}

/// Whole numbers as Go reads them with base 0: `0x`, `0o`, `0b`, and a leading 0 for octal.
fn whole_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    let unsigned = !text.starts_with(['+', '-']);
    let limit = if unsigned {
        i128::from(u64::MAX)
    } else {
        i128::from(i64::MAX)
    };
    (i128::from(i64::MIN)..=limit)
        .contains(&value)
        .then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}
