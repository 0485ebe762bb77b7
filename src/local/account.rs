//! The account file: which users, roles and policies exist, and which keys belong to whom.

/// Who exists in the account, and what they may do.
#[derive(Clone, Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
}
