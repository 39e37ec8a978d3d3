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
  if [ -f "build/$name" ] && [ -z "$(find "$name.c" ./*.h ../native/{uring,napi,napithread,rxguess,callcost}.c ../native/internal.h -newer "build/$name")" ]; then return; fi
  ${CC:-cc} -std=gnu11 -O3 -Wall -Wextra -Werror -fno-strict-aliasing -o "build/$name" "$name.c" "$@"
}

program client
program epoll-server
program limit ../native/{uring,napi,napithread,rxguess,callcost}.c -D_GNU_SOURCE
program transfer
program lwip-server -I/usr/include/lwip -llwip
