# Shared set-up for the scripts beside this file; source it. Every step says what it does, does nothing when there is
# nothing left to do, and never asks.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# Debian keeps ip and friends out of an ordinary user's PATH.
export PATH="$PATH:/usr/sbin:/sbin"

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
fail() {
  printf 'tapstack: %s\n' "$@" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

need_node() {
  have node && have npm || fail 'Node.js 20.19 or newer, with npm, is needed: https://nodejs.org/'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js 20.19 or newer is needed, and this is $(node --version)."
}

# need_packages COMMAND=PACKAGE…: installs the Debian packages whose command (or file, /…) is missing here.
need_packages() {
  local pair missing=() sudo=()
  for pair in "$@"; do
    case $pair in
      # Debian keeps the programs of each PostgreSQL out of PATH.
      postgres=*) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=("${pair#*=}") ;;
      # Several programs call themselves nc; only OpenBSD's closes its half of a connection with -N.
      nc=*) nc -h 2>&1 | grep -q OpenBSD || missing+=("${pair#*=}") ;;
      /*) [ -e "${pair%%=*}" ] || missing+=("${pair#*=}") ;;
      *) have "${pair%%=*}" || missing+=("${pair#*=}") ;;
    esac
  done
  [ ${#missing[@]} -eq 0 ] && return
  have apt-get || fail "please install what these Debian packages hold, then try again: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    sudo=(sudo -n)
    "${sudo[@]}" true 2>/dev/null ||
      fail 'packages are missing, and only root can install them. Please run:' "    sudo apt-get install ${missing[*]}"
  fi
  say "Installing Debian packages: ${missing[*]}"
  # The tests start a PostgreSQL of their own; one that serves this machine is nobody's wish.
  case " ${missing[*]} " in
    *' postgresql '*)
      "${sudo[@]}" mkdir -p /etc/postgresql-common/createcluster.d
      echo 'create_main_cluster = false' |
        "${sudo[@]}" tee /etc/postgresql-common/createcluster.d/tapstack-tests.conf >/dev/null
      ;;
  esac
  "${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends "${missing[@]}" </dev/null
  hash -r
}

need_build_tools() { need_packages g++=g++ make=make python3=python3; }

need_test_tools() {
  need_packages nc=netcat-openbsd curl=curl ping=iputils-ping ip=iproute2 tshark=tshark \
    clang-format=clang-format unshare=util-linux setpriv=util-linux mount=mount \
    nsenter=util-linux openssl=openssl wrk=wrk redis-server=redis-server postgres=postgresql iperf3=iperf3
}

# fingerprint PATH…: one hash over the names and contents of all files there.
fingerprint() { find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1; }

# once STAMP PATH… -- COMMAND…: runs COMMAND unless it has succeeded before on exactly these files.
once() {
  local stamp=$1 paths=() now
  shift
  while [ "$1" != -- ]; do
    paths+=("$1")
    shift
  done
  shift
  now=$(fingerprint "${paths[@]}")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] && return
  "$@"
  mkdir -p "$(dirname "$stamp")"
  echo "$now" >"$stamp"
}

install_modules() {
  say 'Installing npm packages (npm ci)'
  # Only the addon has anything to build, and build_all does that.
  npm ci --ignore-scripts --no-progress
}

compile_typescript() {
  say 'Compiling TypeScript to dist/'
  npm run --silent build:ts
}

build_all() {
  need_node
  need_build_tools
  once node_modules/.tapstack-lock package-lock.json -- install_modules
  npm run --silent build:native
  once dist/.tapstack-sources src tsconfig.json package-lock.json -- compile_typescript
}
