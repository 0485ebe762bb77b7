//! Texts with holes, and how they are filled in.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value};

use super::request::hcl;

/// Fills in texts that are neither HTML nor anything else that has to be escaped everywhere: a text says itself where, by a filter.
///
/// `pretty` writes JSON of several lines; `quoted` JSON of one line, which YAML reads too; `hcl` an expression of Terraform.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.add_filter("pretty", |value: Value| serde_json::to_string_pretty(&value).unwrap_or_default());
    environment.add_filter("quoted", |value: Value| serde_json::to_string(&value).unwrap_or_default());
    environment.add_filter("hcl", |value: Value| serde_json::to_value(&value).map(|value| hcl(&value)).unwrap_or_default());
    environment
}

/// Fills in a text that is part of the program: tests fill in each of them.
pub(crate) fn rendered(template: &str, context: impl Into<Value>) -> String {
    environment().render_str(template, context.into()).unwrap_or_else(|error| error.to_string())
}
