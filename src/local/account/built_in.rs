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
pub const ALL: &[BuiltIn] = built_in![
    "default",
    "assumed-role",
    "sso-role",
    "root",
    "named-user",
    "group-policies",
    "boundary",
    "scp",
    "scp-region",
    "role-path",
    "weak-role",
    "several-fit-roles",
    "no-fit-role",
    "bounded-role",
    "pass-role-denied",
    "pass-role-missing",
    "resource-policy-denied",
    "tags-denied",
    "logs-denied",
    "list-roles-denied",
    "get-role-denied",
    "simulate-denied",
    "iam-denied",
    "denied-midway",
    "bare-denials",
    "access-logs",
];

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

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::local::Account;

    #[test]
    fn each_account_is_valid_says_what_it_is_and_has_a_caller() {
        for built_in in ALL {
            let account = Account::parse(built_in.text, built_in.name).unwrap_or_else(|error| panic!("{error}"));
            assert!(account.caller_key().is_some(), "{}", built_in.name);
            assert!(account.role.is_empty() || account.role(&account.role).is_some(), "{}: {}", built_in.name, account.role);
            let about = built_in.about();
            assert!(built_in.text.starts_with("# ") && about.ends_with('.') && about.len() <= 110, "{}: {about}", built_in.name);
        }
    }

    #[test]
    fn every_file_of_the_folder_is_offered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/accounts");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().replace(".yaml", ""));
        let mut names: Vec<String> = names.collect();
        let mut offered: Vec<&str> = ALL.iter().map(|account| account.name).collect();
        names.sort();
        offered.sort_unstable();
        assert_eq!(names, offered);
    }
}
