//! A large answer cut into messages that each fit a frame.

use serde_json::json;

use crate::contract::frame;

/// Largest frame of a WebSocket API in bytes (API Gateway quotas).
pub(crate) const LARGEST_FRAME: usize = 32 * 1024;

/// Cuts a text into messages of at most [`LARGEST_FRAME`] bytes, which share an id of up to some hundred bytes.
pub(crate) fn split(text: &str, id: &str) -> Vec<String> {
    let room = LARGEST_FRAME.saturating_sub(message(id, usize::MAX, usize::MAX, "").len()).max(16);
    let mut slices = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, c) in text.char_indices() {
        let more = size_in_json(c);
        if size + more > room {
            slices.push(text.get(start..at).unwrap_or_default());
            (start, size) = (at, 0);
        }
        size += more;
    }
    slices.push(text.get(start..).unwrap_or_default());
    let count = slices.len();
    slices.iter().enumerate().map(|(index, slice)| message(id, index, count, slice)).collect()
}

fn message(id: &str, index: usize, count: usize, data: &str) -> String {
    json!({ "type": frame::PART, "id": id, "index": index, "count": count, "data": data }).to_string()
}

/// Bytes that a character takes inside a JSON text, as serde_json writes it.
fn size_in_json(c: char) -> usize {
    match c {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn joined(parts: &[String], id: &str) -> String {
        let read = |(index, part): (usize, &String)| {
            assert!(part.len() <= LARGEST_FRAME, "{}", part.len());
            let part: Value = serde_json::from_str(part).unwrap();
            assert_eq!((&part["type"], &part["id"]), (&json!("wsfix.part"), &json!(id)));
            assert_eq!((&part["index"], &part["count"]), (&json!(index), &json!(parts.len())));
            part["data"].as_str().unwrap().to_owned()
        };
        parts.iter().enumerate().map(read).collect()
    }

    #[test]
    fn parts_fill_their_frames() {
        let text = "x".repeat(128 * 1024);
        let parts = split(&text, "R1knNHGmtjMFqVg=");
        assert_eq!(parts.len(), 5);
        assert!(parts.iter().take(4).all(|part| part.len() > LARGEST_FRAME - 64));
        assert_eq!(joined(&parts, "R1knNHGmtjMFqVg="), text);
    }

    proptest! {
        #[test]
        fn any_text_comes_together_again(piece in "[a-z\"\\\\\u{0}-\u{1f}\u{7f}é漢🦀\u{2028}]{1,40}", times in 1_usize..3000) {
            let text = piece.repeat(times);
            prop_assert_eq!(joined(&split(&text, "id=.1"), "id=.1"), text);
        }
    }
}
