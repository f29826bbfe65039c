#!/usr/bin/env bash
# Builds all functions as they are deployed, and shows how long it took and what a cold start has to fetch. Options go to `sam build`:
# `infra/build.sh --parameter-overrides Architecture=arm64`. Needs SAM and cargo-lambda, docs/deploy.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export SAM_CLI_TELEMETRY=0

# The machine's own compiler makes what runs on Lambda only for its own kind of processor, and with a C library no newer than that of
# Debian 12: of it the functions need no more than provided.al2023 has. Elsewhere cargo-lambda takes zig.
if [ -z "${CARGO_LAMBDA_COMPILER:-}" ] && [ "$(uname -sm)" = 'Linux x86_64' ] && [[ "$*" != *arm64* ]]; then
  glibc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$glibc" 2.36 | sort -V | tail -n1)" = 2.36 ]; then export CARGO_LAMBDA_COMPILER=cargo; fi
fi

SECONDS=0
# Never --cached: it looks at a function's own directory only, and ships the binary of before after an edit in shared/.
sam build --no-cached "$@"
printf '\nbuilt in %d s\n\n| function | zipped, MB | unpacked, MB |\n|---|---|---|\n' "$SECONDS"
for binary in .aws-sam/build/*Function/bootstrap; do
  awk -v name="$(basename "$(dirname "$binary")")" -v zipped="$(gzip -9 -c "$binary" | wc -c)" -v unpacked="$(wc -c < "$binary")" \
    'BEGIN { printf "| %s | %.1f | %.1f |\n", name, zipped / 1e6, unpacked / 1e6 }'
done
