#!/usr/bin/env bash
# build.sh [NAME…]: compiles the benchmark's programs in C (or those that are named) that have changed, to bench/build/.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
mkdir -p build

wanted=" $* "

# program NAME [FLAG…]
program() {
  local name=$1
  shift
  [[ $wanted == '  ' || $wanted == *" $name "* ]] || return 0
  [ "build/$name" -nt "$name.c" ] && [ "build/$name" -nt tap.h ] && return 0
  ${CC:-cc} -std=gnu11 -O3 -Wall -Wextra -Werror -fno-strict-aliasing -o "build/$name" "$name.c" "$@"
}

program client
program epoll-server
program limit
program transfer
program lwip-server -I/usr/include/lwip -llwip
