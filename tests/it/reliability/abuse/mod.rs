//! `wsfix dev` under input that no honest client sends: broken HTTP, broken frames, hostile packages and names.
//!
//! Whatever comes, the server must go on: after every row a good request is answered. Memory and files are looked at in the end.

mod dev;
mod frames;
mod http;
mod mangler;
mod packages;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::support::aws::Aws;
use crate::support::{block_on, docs, keys};
use crate::tool::signal;
use dev::Dev;
use mangler::Mangler;

/// So much more memory it may have taken at its worst, in megabytes: two uploads of the largest size, each a few times.
const MEMORY: u64 = 700;

/// Every file below a folder.
fn files(folder: &Path) -> Vec<String> {
    walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).map(|entry| entry.path().display().to_string()).collect()
}

#[test]
fn nothing_that_is_sent_to_dev_breaks_it() {
    let mut dev = Dev::start();
    let before = (dev.memory(), dev.temporary());
    let mut requests = String::from("| what is sent | the answer |\n|---|---|\n");
    for (what, bytes) in http::cases(dev.address) {
        let answer = http::statuses(&dev.exchange(&bytes, http::is_cut_short(what)));
        assert!(answer == "closed" || answer.starts_with('4'), "{what}: {answer}");
        writeln!(requests, "| {what} | {answer} |").unwrap();
        dev.is_well(what);
    }
    docs::hold("reliability.md", "abuse-http", &requests);

    let mut answers = String::from("| what is sent on an open socket | closed with |\n|---|---|\n");
    for (what, bytes) in frames::cases() {
        let mut stream = dev.socket();
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let code = frames::close_code(&dev::read_all(&mut stream));
        writeln!(answers, "| {what} | {code} |").unwrap();
        dev.is_well(what);
    }
    docs::hold("reliability.md", "abuse-frames", &answers);

    let aws = block_on(Aws::connect(&format!("http://{}", dev.address), "us-east-1", &keys()));
    let mut refusals = String::from("| the zip of a function | Lambda says |\n|---|---|\n");
    for (what, zip) in packages::zips() {
        let answer = block_on(packages::create(&aws, "hostile", zip));
        assert!(answer.starts_with("InvalidParameterValueException: "), "{what}: {answer}");
        writeln!(refusals, "| {what} | {answer} |").unwrap();
    }
    docs::hold("reliability.md", "abuse-zips", &refusals);

    let mut table = String::from("| a name | function | table | log group | stage |\n|---|---|---|---|---|\n");
    for name in ["../../wsfix-evil", "/wsfix-evil", "a\0b", "..", "a\nb"] {
        let [function, dynamodb, group, stage] = block_on(packages::names(&aws, name));
        writeln!(table, "| `{}` | {function} | {dynamodb} | {group} | {stage} |", name.escape_default()).unwrap();
    }
    docs::hold("reliability.md", "abuse-names", &table);

    mangled(&dev);
    crowds(&dev);
    let worst = dev.memory();
    println!("memory: {} MB before, {worst} MB at its worst", before.0);
    assert!(worst < before.0 + MEMORY, "from {} MB to {worst} MB", before.0);
    assert_eq!(dev.temporary(), before.1, "only the code of the one good function is there");
    let evil: Vec<String> = files(dev.tool.directory.path()).into_iter().filter(|path| path.contains("evil")).collect();
    assert!(evil.is_empty() && !Path::new("/wsfix-evil").exists(), "{evil:?}");
    signal(&dev.child, "-INT");
    assert_eq!(dev.child.wait().unwrap().code(), Some(0));
    assert_eq!(dev.temporary(), Vec::<String>::new());
}

/// Good input with a few bytes changed, cut out or put in, over HTTP and as frames.
fn mangled(dev: &Dev) {
    let mut mangler = Mangler::new();
    let seed = mangler.seed;
    println!("the mangler's seed is {seed}; WSFIX_SEED={seed} repeats it");
    let requests: Vec<Vec<u8>> = http::cases(dev.address).into_iter().map(|(_, bytes)| bytes).filter(|bytes| bytes.len() < 4096).collect();
    for _ in 0..400 {
        let bytes = mangler.mangle(&requests);
        dev.exchange(&bytes, true);
    }
    dev.is_well(&format!("mangled HTTP, seed {seed}"));
    let broken: Vec<Vec<u8>> = frames::cases().into_iter().map(|(_, bytes)| bytes).filter(|bytes| bytes.len() < 4096).collect();
    for _ in 0..40 {
        let mut stream = dev.socket();
        let bytes: Vec<u8> = (0..20).flat_map(|_| mangler.mangle(&broken)).collect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        dev::read_all(&mut stream);
    }
    dev.is_well(&format!("mangled frames, seed {seed}"));
}

/// Many who say little, and many who bring much.
fn crowds(dev: &Dev) {
    let idle: Vec<TcpStream> = (0..1000)
        .map(|number| {
            let mut stream = dev.connect();
            if number % 2 == 0 {
                stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nX: ").unwrap();
            }
            stream
        })
        .collect();
    dev.is_well("1,000 connections that say little");
    let head = format!(
        "POST /2015-03-31/functions HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        dev.address,
        60 << 20
    );
    let megabyte = vec![b'x'; 1 << 20];
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut stream = dev.connect();
                stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
                let sent = stream.write_all(head.as_bytes()).and_then(|()| (0..60).try_for_each(|_| stream.write_all(&megabyte)));
                let answer = dev::read_all(&mut stream);
                assert!(sent.is_err() || answer.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&answer));
            });
        }
    });
    dev.is_well("12 uploads of 60 MB at once");
    drop(idle);
}
