//! What a run does when something goes wrong: the tables of docs/reliability.md, one file for each.

mod sweep;
mod teardown;
