#!/usr/bin/env bash
# What each deployed function is made of: target/sbom/<function>.cdx.json, CycloneDX 1.5, for Lambda's x86_64 (or the target that is
# named). Needs cargo-cyclonedx, docs/dependencies.md.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-x86_64-unknown-linux-gnu}
out=target/sbom
copy=$out/workspace

# Of a workspace without the local stack: cargo's metadata, which the command reads, would give the functions all that one wants of the
# crates they share, such as a second crypto library. A copy also keeps the command's files out of the source.
rm -rf "$out"
mkdir -p "$copy"
sed 's|, "infra/local"\]|]|; /^default-members/d' Cargo.toml > "$copy/Cargo.toml"
cp -r Cargo.lock functions shared "$copy"
# Only what nobody wants any more leaves the lock: no version changes without the network.
export CARGO_NET_OFFLINE=true SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
(cd "$copy" && cargo cyclonedx -q --format json --spec-version 1.5 --describe binaries --no-build-deps --target "$target")
for file in "$copy"/functions/*/*_bin.cdx.json; do
  # What it calls its own packages would say where they were built.
  sed "s|path+file://$PWD/$copy/|path:|g" "$file" > "$out/$(basename "$file" _bin.cdx.json).cdx.json"
done
rm -r "$copy"
