# One recipe a check; `just` lists them, `just ci` runs them all as .ci/run does.

_default:
    @just --list --unsorted

# The layout of the text
fmt:
    cargo fmt --all --check

# Lints of everything, with the tool and the handler
clippy:
    cargo clippy --all-targets --locked -- -D warnings

# Lints of the tool alone
clippy-cli:
    cargo clippy --locked --no-default-features --features cli -- -D warnings

# Lints of the handler alone: it must not need the provisioning SDK
clippy-handler:
    cargo clippy --locked --no-default-features --features handler -- -D warnings

# The documentation, with every link in it
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --document-private-items

# Licenses, sources and banned crates
deny:
    cargo deny --all-features check --hide-inclusion-graph bans licenses sources

# The Python environment of the outside judges (`test` makes it too)
judges:
    python3 tests/external/prepare.py target/external-venv

# The tour: local cloud, stack, handler, client
tour:
    cargo run --quiet --locked -- dev --once

# Everything that tests
test *args:
    cargo test --locked {{ args }}

# Calls, chains and seconds against the local cloud; builds for release
bench:
    cargo bench --locked --bench provision

# 2,000 connections, 1,000 messages a second for a minute, on the local cloud; builds for release
bench-load *args:
    cargo bench --locked --bench load -- {{ args }}

# What the handler costs, beside others; builds them all, needs Node.js
bench-handler:
    cargo bench --locked --bench handler

# Every check, from nothing
ci:
    bash .ci/run
