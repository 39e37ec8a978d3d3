#!/usr/bin/env bash
# test/native/run.sh: builds the C core and its tests with every warning an error, under AddressSanitizer and UBSan
# where the compiler has them, and runs them. Needs a C compiler; no Node, except for the lab that some run in.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

CC=${CC:-cc}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

flags=(-std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -pthread)
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
echo 'int main(void) { return 0; }' >"$build/probe.c"
if "$CC" "${sanitizers[@]}" "$build/probe.c" -o "$build/probe" 2>"$build/why" && "$build/probe"; then
  flags+=("${sanitizers[@]}")
else
  echo "run.sh: $CC has no AddressSanitizer or UBSan here, so the tests run without them:" >&2
  head -3 "$build/why" >&2
fi

"$CC" "${flags[@]}" -c test/native/bench.c -o "$build/bench.o"
compile() { "$CC" "${@:2}" -c "$1" -o "$build/nic_$(basename "$1" .c).o"; }
export CC build
export -f compile
printf '%s\0' native/*.c | xargs -0 -P "$(nproc)" -I{} bash -c 'compile "$@"' compile {} "${flags[@]}"
failed=0
for source in test/native/*_test.c; do
  name=$(basename "$source" .c)
  wrap=(-Wl,--wrap=calls_are_dear)
  # They count calls, and have rings of their own.
  if [ "$name" = callcost_test ]; then wrap=(-Wl,--wrap=uring_run,--wrap=read,--wrap=eventfd); fi
  if [ "$name" = rx_test ]; then wrap+=(-Wl,--wrap=uring_run); fi
  if [ "$name" = rxguess_test ]; then wrap+=(-Wl,--wrap=read,--wrap=uring_run); fi
  if [ "$name" = rx_errors_test ]; then wrap+=(-Wl,--wrap=read,--wrap=readv,--wrap=uring_run); fi
  if [ "$name" = tx_test ]; then wrap+=(-Wl,--wrap=writev,--wrap=uring_{open,close,use,write,run}); fi
  if [ "$name" = twoqueues_test ]; then wrap+=(-Wl,--wrap=write); fi
  if [ "$name" = napithread_test ]; then wrap+=(-Wl,--wrap=pwrite); fi
  if [ "$name" = faults_test ]; then
    wrap+=(-Wl,--wrap={socket,socketpair,send,recv,calloc,malloc,strdup,mmap,setns,unshare,mount,pthread_create,open,ioctl})
  fi
  "$CC" "${flags[@]}" "${wrap[@]}" "$source" "$build/bench.o" "$build"/nic_*.o -o "$build/$name"
  runner=()
  case $name in open_test | descriptors_test | faults_test) runner=(./scripts/lab) ;; esac # devices and namespaces
  "${runner[@]}" "$build/$name" || failed=1
  # How frames are read and written depends on what a system call costs.
  case $name in rx_test | rx_fuzz* | tx* | gro* | twoq*) DEAR_CALLS=1 "$build/$name" || failed=1 ;; esac
done
exit $failed
