//! The account files that come with the tool, each with its name.

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// As `extends` and `wsfix dev --account` name it: the file's name without its ending.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

impl BuiltIn {
    /// What it is, in one line: the first of the file.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(BuiltIn { name: $name, text: include_str!(concat!("../../../templates/accounts/", $name, ".yaml")) }),*]
    };
}

/// All of them, in the order in which they are listed.
pub const ALL: &[BuiltIn] = built_in!["default"];

/// The one of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|account| account.name == name)
}

/// Their names, for messages.
#[must_use]
pub fn names() -> String {
    ALL.iter().map(|account| account.name).collect::<Vec<_>>().join(", ")
}
