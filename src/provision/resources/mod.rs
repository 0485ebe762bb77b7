//! One AWS resource a file, all of one shape: Spec, Live, `impl Resource`, conversions, operations, tests.

pub(crate) mod account;
pub(crate) mod api;
pub(crate) mod function;
pub(crate) mod integration;
pub(crate) mod log_group;
pub(crate) mod log_role;
pub(crate) mod permission;
pub(crate) mod role;
pub(crate) mod route;
pub(crate) mod route_response;
pub(crate) mod stage;
pub(crate) mod table;
