//! Cargo's part, played by a script.

use super::*;

/// A checkout with a cargo that does what `script` says.
struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
        write("Cargo.toml", b"[package]\nname = \"wsfix\"\n");
        write("made-x86_64", &Executable::default().bytes());
        write("made-arm64", &Executable::default().machine(183).loader(Some("/lib/ld-linux-aarch64.so.1")).bytes());
        write("made-new", &Executable::default().needs(&[("arc4random", "GLIBC_2.36")]).bytes());
        // Written by another process: a file that is open for writing here could be inherited by the children of
        // other tests, and then cannot be run.
        let mut writer = std::process::Command::new("sh")
            .args(["-c", "cat >cargo && chmod 755 cargo"])
            .current_dir(directory.path())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(format!("#!/bin/sh\necho \"$@\" >>calls\n{script}\n").as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        Self(directory)
    }

    fn places(&self) -> Places {
        Places { checkout: self.0.path().to_owned(), cargo: self.0.path().join("cargo"), ..nowhere() }
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.0.path().join("calls")).unwrap_or_default()
    }
}

/// The line in which cargo says where a binary is.
fn says(file: &str) -> String {
    format!(r#"echo "{{\"reason\":\"compiler-artifact\",\"target\":{{\"name\":\"wsfix-handler\"}},\"executable\":\"$PWD/{file}\"}}""#)
}

fn host() -> Architecture {
    if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 }
}

fn other() -> Architecture {
    if cfg!(target_arch = "aarch64") { Architecture::X86_64 } else { Architecture::Arm64 }
}

#[test]
fn a_build_gets_no_secret_of_this_process() {
    let command = super::super::compile::cargo(&nowhere());
    let removed: Vec<_> = command.as_std().get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name.to_owned()).collect();
    for name in crate::secret::VARIABLES {
        assert!(removed.contains(&name.into()), "{name}: {removed:?}");
    }
}

#[tokio::test]
async fn the_host_compiles_for_itself_and_says_so() {
    let made = says(&format!("made-{}", host().as_str()));
    let checkout = Checkout::new(&format!(
        "[ \"$1\" = --list ] && exit 0\n[ -z \"$RUSTFLAGS\" ] || exit 9\necho '   Compiling wsfix v0.1.0' >&2\necho 'no json'\necho '{{\"reason\":\"x\"}}'\n{made}"
    ));
    let told = Told::default();
    let bundle = build_from(&checkout.places(), None, host(), &told).await.unwrap();
    assert!(bundle.source.contains("by `cargo build --profile handler --bin wsfix-handler --no-default-features --features handler`"));
    assert!(checkout.calls().contains("build --profile handler --bin wsfix-handler --no-default-features --features handler --locked"));
    let told = told.0.into_inner();
    let resource = format!("handler for {}", host().as_str());
    assert_eq!(told.first(), Some(&Event::Started { resource: resource.clone(), action: "build" }));
    assert!(matches!(&told[1], Event::Waiting { state, .. } if state.starts_with("compiling: cargo build")), "{told:?}");
    assert!(matches!(told.last(), Some(Event::Finished { action: "build", detail, .. }) if detail.contains("zip 1 KB")), "{told:?}");
}

#[tokio::test]
async fn what_cargo_reports_is_shown_with_the_remedy() {
    for (says, remedy) in [
        ("error[E0425]: cannot find value", "mend what cargo reports"),
        ("error[E0463]: can't find crate for `core`", "rustup target add"),
        ("error: linker `cc` not found", "C compiler"),
        ("error: failed to download from registry", "registry"),
        ("error: the lock file needs to be updated but --locked was passed", "Cargo.lock"),
    ] {
        let checkout =
            Checkout::new(&format!("[ \"$1\" = --list ] && exit 0\nseq 1 50 >&2\necho \"{}\" >&2\nexit 101", says.replace('`', "\\`")));
        let told = Told::default();
        let error = build_from(&checkout.places(), None, host(), &told).await.unwrap_err();
        assert!(error.what.contains(says) && error.what.contains("\n50\n") && !error.what.contains("\n5\n"), "{}", error.what);
        assert!(error.remedy.contains(remedy), "{says}: {}", error.remedy);
        assert!(matches!(told.0.into_inner().last(), Some(Event::Failed { action: "build", .. })));
    }
}

#[tokio::test]
async fn another_processor_needs_zigbuild_or_cargo_lambda() {
    let made = says(&format!("made-{}", other().as_str()));
    let target = elf::target(other());
    let zig = Checkout::new(&format!("[ \"$1\" = --list ] && {{ echo '    zigbuild'; echo '    lambda  x'; exit 0; }}\n{made}"));
    let bundle = built(&zig.places(), None, other()).await.unwrap();
    assert!(bundle.source.contains(&format!("cargo zigbuild --target {target}.2.34 --profile handler")), "{}", bundle.source);

    let lambda = Checkout::new(&format!(
        "[ \"$1\" = --list ] && {{ echo '    lambda'; exit 0; }}\nmkdir -p \"$5/wsfix-handler\" && cp made-{} \"$5/wsfix-handler/bootstrap\"",
        other().as_str()
    ));
    let bundle = built(&lambda.places(), None, other()).await.unwrap();
    assert!(bundle.source.contains("cargo lambda build --"), "{}", bundle.source);

    let neither = Checkout::new("[ \"$1\" = --list ] && exit 0\nexit 1");
    let error = built(&neither.places(), None, other()).await.unwrap_err();
    assert!(error.what.contains("cannot compile the handler for") && error.remedy.contains("cargo-zigbuild"), "{error:?}");
    assert!(error.remedy.contains(&format!("function.architecture: {}", host().as_str())), "{error:?}");
}

#[tokio::test]
async fn a_c_library_that_is_too_new_is_got_round() {
    let new = says("made-new");
    let old = says(&format!("made-{}", host().as_str()));
    let script = format!("[ \"$1\" = --list ] && {{ echo '    zigbuild'; exit 0; }}\n[ \"$1\" = build ] && {{ {new}; exit 0; }}\n{old}");
    let checkout = Checkout::new(&script);
    if host() == Architecture::X86_64 {
        let bundle = built(&checkout.places(), None, host()).await.unwrap();
        assert!(bundle.source.contains("cargo zigbuild"), "{}", bundle.source);
        let checkout = Checkout::new(&format!("[ \"$1\" = --list ] && exit 0\n{new}"));
        let error = built(&checkout.places(), None, host()).await.unwrap_err();
        assert!(error.what.contains("needs glibc 2.36") && error.remedy.contains("cargo zigbuild"), "{error:?}");
    }
}

#[tokio::test]
async fn without_cargo_the_one_beside_is_used() {
    let checkout = Checkout::new("exit 1");
    let places = Places { cargo: "/nonexistent/cargo".into(), ..checkout.places() };
    let error = built(&places, None, host()).await.unwrap_err();
    assert!(error.what.contains("no cargo that could compile it") && error.remedy.contains("rustup.rs"), "{error:?}");
    let made = std::fs::read(checkout.0.path().join(format!("made-{}", host().as_str()))).unwrap();
    std::fs::write(checkout.0.path().join(BINARY), made).unwrap();
    let places = Places { beside: Some(checkout.0.path().to_owned()), ..places };
    let bundle = built(&places, None, host()).await.unwrap();
    assert!(bundle.source.ends_with("beside this program"), "{}", bundle.source);
}
