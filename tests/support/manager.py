#!/usr/bin/env python3
"""Runs a program as systemd runs a service with a descriptor store: sd_notify(3), FDSTORE=1,
FDSTOREREMOVE=1, LISTEN_FDS at the next start.

    manager.py NOTIFY_SOCKET PROGRAM ARGUMENT…

SIGUSR1 restarts the program (SIGTERM, and when it has ended the next one), SIGUSR2 does so by
SIGKILL, SIGTERM ends it, and this one with its status. What the program tells is printed. If this
one is killed, so is the program.
"""

import ctypes
import os
import select
import signal
import socket
import sys

FIRST = 3
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
store = {}  # name: descriptors
wanted = set()  # signals that have come


def start(program, notify):
    held = [(name, fd) for name, fds in store.items() for fd in reversed(fds)]  # in no order that helps
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before
        os._exit(1)
    high = [(name, os.dup2(fd, 500 + i, inheritable=False)) for i, (name, fd) in enumerate(held)]
    for i, (_, fd) in enumerate(high):
        os.dup2(fd, FIRST + i)
    os.environ.update(NOTIFY_SOCKET=notify, FDSTORE="400")
    if high:
        os.environ.update(
            LISTEN_PID=str(os.getpid()),
            LISTEN_FDS=str(len(high)),
            LISTEN_FDNAMES=":".join(name for name, _ in high),
        )
    os.execvp(program[0], program)


def hear(receiver):
    data, fds, _, _ = socket.recv_fds(receiver, 4096, 768)
    said = dict(line.split("=", 1) for line in data.decode().splitlines())
    print(data.decode().replace("\n", " "), len(fds), flush=True)
    name = said.get("FDNAME", "stored")
    for fd in fds:
        if said.get("FDSTORE") == "1":
            store.setdefault(name, []).append(os.dup2(fd, 1000 + fd, inheritable=False))
        os.close(fd)
    if said.get("FDSTOREREMOVE") == "1":
        for fd in store.pop(name, []):
            os.close(fd)


def main():
    notify, program = sys.argv[1], sys.argv[2:]
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(notify)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda number, _: wanted.add(number))
    child = start(program, notify)
    while True:
        ready, _, _ = select.select([receiver, wake], [], [])
        if receiver in ready:
            hear(receiver)
            continue
        os.read(wake, 4096)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended and not wanted & {signal.SIGUSR1, signal.SIGUSR2}:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        if ended:
            while select.select([receiver], [], [], 0)[0]:
                hear(receiver)
            wanted.clear()
            child = start(program, notify)
        elif signal.SIGUSR2 in wanted:
            os.kill(child, signal.SIGKILL)
        elif wanted & {signal.SIGUSR1, signal.SIGTERM}:
            os.kill(child, signal.SIGTERM)
            wanted.discard(signal.SIGTERM)


main()
