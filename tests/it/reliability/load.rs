//! A small load on the local cloud; `cargo bench --bench load` is the large one.

use std::path::PathBuf;
use std::time::Duration;

use crate::handler;
use crate::support::load::{Load, run};

#[test]
fn a_hundred_connections_lose_and_double_nothing() {
    let load = Load { connections: 100, per_second: 100.0, time: Duration::from_secs(2) };
    let measured = run(load, PathBuf::from(handler::zip()));
    println!("half are answered within {:.1?}, all within {:.1?}", measured.delay(500), measured.delay(1000));
    assert_eq!((measured.lost, measured.doubled, measured.other), (0, 0, Vec::new()));
    assert_eq!(measured.sent, 200);
}
