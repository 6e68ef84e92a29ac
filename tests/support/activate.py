#!/usr/bin/env python3
"""Binds sockets and becomes a program that is given them, as systemd does it (sd_listen_fds(3)):

    activate.py NAME=tcp:127.0.0.1:8000 NAME=udp:127.0.0.1:5514 … -- PROGRAM ARGUMENT…

Of several with the same address and port, each is a socket of its own (SO_REUSEPORT).
"""

import os
import socket
import sys

FIRST = 3


def bind(where):
    kind, host, port = where.split(":")
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, int(port)))
    if kind == "tcp":
        bound.listen(128)
    return bound


def main():
    split = sys.argv.index("--")
    wishes = [argument.split("=", 1) for argument in sys.argv[1:split]]
    program = sys.argv[split + 1 :]
    bound = [bind(where) for _, where in wishes]
    high = [os.dup2(one.fileno(), 100 + i, inheritable=False) for i, one in enumerate(bound)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(bound))
    os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in wishes)
    os.execvp(program[0], program)


main()
