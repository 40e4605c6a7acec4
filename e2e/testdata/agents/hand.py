"""Hands an agent a listening socket of one network namespace and lets it run in another one: hand.py ADDR PORT SOCKET_NETNS RUN_NETNS."""
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)


def enter(name):
    fd = os.open("/proc/1/ns/net" if name == "host" else "/run/netns/" + name, os.O_RDONLY)
    if libc.setns(fd, 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns " + name)
    os.close(fd)


addr, port, sockets, runs = sys.argv[1:]
enter(sockets)
s = socket.socket()
s.bind((addr, int(port)))
s.listen(64)
enter(runs)
os.set_inheritable(s.fileno(), True)
os.environ["LISTEN_FD"] = str(s.fileno())
os.execv("/usr/bin/python3", ["python3", "/usr/local/bin/vllm", "serve", "m", "--host", addr, "--port", port])
