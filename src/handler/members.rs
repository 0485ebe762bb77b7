//! A JSON object read one level deep.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object, in their order. Values stay as they were written: no number loses digits, and no depth costs stack.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// `None`: the text is not a JSON object.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = reader.deserialize_map(Reader).ok()?;
        reader.end().ok()?;
        Some(Self(members))
    }

    /// The value of a name; where it stands twice, the one that most readers take: the last.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// The value of a name, where it is text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// The value of a name, where it is a whole number from 0 on.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        serde_json::from_str(self.raw(name)?).ok()
    }
}

/// A member as it stands in an object; `value` is JSON.
pub(super) fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", Value::from(name))
}
