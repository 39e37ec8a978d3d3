# A descriptor that misbehaves, handed to the command as number 3, for tap-lifetime.test.ts. Prints what the command says.
import os
import select
import socket
import subprocess
import sys


def run(descriptor, tell=lambda: None):
    child = subprocess.Popen(
        sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=lambda: os.dup2(descriptor, 3), pass_fds=(3,)
    )
    print(child.stdout.readline().decode(), end="")
    tell()
    child.stdin.close()
    print(child.stdout.read().decode(), end="", flush=True)
    sys.exit(child.wait())


# An epoll instance with an event: poll says that it can be read, read says EINVAL.
def fails():
    reading, writing = os.pipe()
    os.write(writing, b"x")
    poll = select.epoll()
    poll.register(reading, select.EPOLLIN)
    run(poll.fileno())


# Nobody takes what it is given; five frames come at once.
def ahead():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def tell():
        for _ in range(5):
            ours.send(bytes(1400))

    run(theirs.fileno(), tell)


{"fails": fails, "ahead": ahead}[sys.argv[1]]()
