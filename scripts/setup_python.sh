#!/usr/bin/env bash
# Makes .venv from requirements-dev.lock and installs the project into it. Does nothing when that is done already.
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

exec 9<"$0"
flock 9 # two runs at once: the second waits and finds the work done

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || die "needs Python 3.11 or newer; on Debian or Ubuntu: apt-get install python3 python3-venv"

# The folder is part of it, because a virtual environment does not survive being copied.
stamp=$({ pwd; "$python" -VV; cat requirements-dev.lock pyproject.toml scripts/setup_python.sh; } | sha256sum)
if [ "$(cat .venv/stamp 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi

say "virtual environment .venv with $("$python" -V)"
rm -rf .venv
if ! "$python" -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  say "apt-get install $package"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
fi
if "$python" -c 'import ensurepip' 2>/dev/null; then
  "$python" -m venv .venv
  pip=(.venv/bin/python -m pip)
elif "$python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv --without-pip .venv
  pip=("$python" -m pip --python .venv/bin/python)
else
  die "this Python has neither ensurepip nor pip; as root: apt-get install python3-venv"
fi

say "packages of requirements-dev.lock"
"${pip[@]}" install --quiet --require-hashes --no-deps -r requirements-dev.lock
say "ai-workflow-exporter itself"
"${pip[@]}" install --quiet --no-deps --no-build-isolation --editable .
echo "$stamp" >.venv/stamp
