#!/usr/bin/env bash
# Resolves pyproject.toml into the lock files: `make lock`. The only chore that needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || { echo "lock: needs uv: pip install uv" >&2; exit 1; }

# `compile NAME SOURCE…` writes requirements NAME with hashes, for every platform, naming no registry.
compile() {
  local name=$1
  shift
  echo "lock: $name"
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command "make lock" --output-file "$name" "$@"
}

# hatchling wants `editables` to install the project editable.
python3 - <<'PYTHON' | compile requirements-build.lock -
import tomllib
from pathlib import Path
print(*tomllib.loads(Path("pyproject.toml").read_text())["build-system"]["requires"], "editables", sep="\n")
PYTHON
compile requirements.lock pyproject.toml --extra bedrock --extra vertex # the image has them
compile requirements-dev.lock pyproject.toml requirements-build.lock -c requirements.lock --all-extras --group dev
for group in instrumentations instrumentations-older; do
  compile "requirements-$group.lock" --group "$group"
done
