"""Connects to addresses from a zone, and tells whose answer came: zone, scene, address, yes or no."""
import socket
import sys
from concurrent.futures import ThreadPoolExecutor


def ask(line):
    scene, want, at = line.split()
    addr, port = at.rsplit(":", 1)
    for _ in range(2):
        try:
            with socket.create_connection((addr.strip("[]"), int(port)), timeout=2) as c:
                c.settimeout(2)
                if c.recv(64).decode() == "agent %s\n" % want:
                    return scene, at, "yes"
        except OSError:
            pass
    return scene, at, "no"


with ThreadPoolExecutor(64) as pool:
    for scene, at, got in pool.map(ask, sys.stdin.read().splitlines()):
        print(sys.argv[1], scene, at, got)
