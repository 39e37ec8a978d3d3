# A device that is full most of the time, for tap-lifetime.test.ts: gives the command one end of a socketpair that keeps
# frames apart as its descriptor 3, and drains the other end slowly. Prints how many numbered frames came in order.
import os
import select
import socket
import subprocess
import sys
import time

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)


def hand_over():
    os.dup2(theirs.fileno(), 3)


child = subprocess.Popen(sys.argv[1:], preexec_fn=hand_over, pass_fds=(3,))
theirs.close()
expected = 0
while True:
    select.select([ours], [], [], 10)
    frame = ours.recv(4096)
    if not frame:
        break
    if len(frame) != 1060 or int.from_bytes(frame[14:18], "big") != expected:
        sys.exit(f"frame {expected} came as {len(frame)} bytes, number {int.from_bytes(frame[14:18], 'big')}")
    expected += 1
    if expected % 16 == 0:
        time.sleep(0.002)
print(f"in order {expected}")
sys.exit(child.wait())
