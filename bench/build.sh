#!/usr/bin/env bash
# Compiles the benchmark's programs in C that have changed, to bench/build/.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
mkdir -p build

# program NAME [FLAG…]
program() {
  local name=$1
  shift
  [ "build/$name" -nt "$name.c" ] && [ "build/$name" -nt tap.h ] && return 0
  ${CC:-cc} -std=gnu11 -O3 -Wall -Wextra -Werror -fno-strict-aliasing -o "build/$name" "$name.c" "$@"
}

program client
program epoll-server
program limit
program lwip-server -I/usr/include/lwip -llwip
