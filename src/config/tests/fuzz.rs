//! No input makes loading panic.

use proptest::prelude::*;

use super::Bench;
use crate::config::{keys, names, secrets, urls};

/// Text that is nearly a config, so that tests get past the parser.
fn nearly_yaml() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = keys::KEYS.iter().map(|key| key.path.rsplit('.').next().unwrap_or(key.path)).collect();
    let value = prop_oneof![
        Just("~".to_owned()),
        Just("${A}".to_owned()),
        Just("\"${A\"".to_owned()),
        Just("env:A".to_owned()),
        Just("{ name: [1, ~, {}], \"\\0\": x }".to_owned()),
        Just("&a [*a]".to_owned()),
        "-?[0-9]{1,22}",
        "[a-z$:/{}@. -]{0,20}",
        "\"\\PC{0,10}\"",
    ];
    let line = (0..3usize, proptest::sample::select(names), value)
        .prop_map(|(indent, name, value)| format!("{}{name}: {value}\n", "  ".repeat(indent)));
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

fn load_text(text: &[u8], value: &str) {
    let mut bench = Bench::new();
    bench.write("wsfix.yaml", text);
    bench.set("A", value);
    bench.set("WSFIX_API_STAGE", value);
    bench.flags.tags = vec![value.to_owned()];
    bench.flags.existing_role = Some(value.to_owned());
    if let Err(errors) = bench.load() {
        assert!(!errors.problems().is_empty());
        let _ = errors.to_string();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn loading_nearly_yaml_never_panics(text in nearly_yaml(), value in "\\PC{0,12}") {
        load_text(text.as_bytes(), &value);
    }

    #[test]
    fn loading_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        load_text(&bytes, "x");
    }

    #[test]
    fn loading_text_never_panics(text in "\\PC{0,200}", value in any::<String>()) {
        load_text(text.as_bytes(), &value);
    }

    #[test]
    fn checks_never_panic(text in any::<String>()) {
        let _ = (names::role(&text), names::route_selection_expression(&text), names::region(&text), names::route(&text));
        let _ = (urls::backend(&text), urls::endpoint(&text), urls::origin(&text), keys::meant("", &text));
        let _ = (urls::backend(&format!("https://{text}")), urls::origin(&format!("http://{text}")), secrets::is_source(&text));
    }
}
