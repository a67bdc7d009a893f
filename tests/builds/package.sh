#!/usr/bin/env bash
# Builds what crates.io would get, from its package alone, and its pages as docs.rs builds them.
set -eu
cd "$(dirname "$0")/../.."
cargo package --quiet --locked --allow-dirty
package=target/package/openkitchen-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
target=$(sed -n 's/^targets = \["\(.*\)"\]/\1/p' Cargo.toml)
DOCS_RS=1 RUSTDOCFLAGS="-D warnings --cfg docsrs" cargo doc --quiet --locked --no-deps --lib --target "$target" \
    --manifest-path "$package/Cargo.toml" --target-dir target/docs
echo "$(wc -c <"$package.crate") bytes for crates.io: they build, and so do the pages for docs.rs"
