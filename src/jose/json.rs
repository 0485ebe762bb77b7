//! JSON in which no name stands twice, at any depth (RFC 7515 section 4, RFC 7519 section 4): parsers differ in which of the two they take.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// An object, and nothing but white space around it. `None`: it is something else, or a name stands twice.
pub(crate) fn object(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json) {
        Ok(Unique(Value::Object(object))) => Some(object),
        Ok(Unique(_)) | Err(_) => None,
    }
}

/// Any JSON value with unique names.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with unique names")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number without an end"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_stands_once_at_any_depth() {
        assert!(object(br#" {"a":1,"b":{"a":1}} "#).is_some());
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"b":2}]}"#] {
            assert!(object(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_an_object_is_one() {
        for bad in
            ["", "null", "[]", "1", r#""a""#, r#"{"a":1} {}"#, r#"{"a":1}x"#, "{a:1}", r#"{"a":1,}"#, r#"{"a":NaN}"#, r#"{"a":1e400}"#]
        {
            assert!(object(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(object(&[b"\xef\xbb\xbf".as_slice(), b"{}"].concat()).is_none(), "a byte order mark");
        assert!(object(b"{\"a\":\"\xff\"}").is_none(), "not UTF-8");
        assert!(object(format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)).as_bytes()).is_none(), "bottomless");
    }

    #[test]
    fn names_that_mean_something_to_the_parser_are_names() {
        let inner = r#"{"a":{"$serde_json::private::RawValue":"{\"b\":1}"}}"#;
        assert_eq!(object(inner.as_bytes()).unwrap()["a"], json!({ "$serde_json::private::RawValue": "{\"b\":1}" }));
    }

    proptest! {
        #[test]
        fn what_is_unique_is_read_as_serde_reads_it(names in proptest::collection::btree_map("[a-c]{0,2}", any::<f64>(), 0..4)) {
            let value = json!({ "in": names.clone(), "list": [names] });
            let text = value.to_string();
            prop_assert_eq!(object(text.as_bytes()).map(Value::Object), serde_json::from_str(&text).ok());
        }
    }
}
