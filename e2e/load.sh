#!/bin/bash
# N processes and N listening sockets, in the pid and network namespace that it runs in. It says so
# on standard output when all are up, and stays until it is killed.
n=$1
ip link set lo up
ip link add eth0 type veth peer name eth0p
ip link set eth0 up
ip link set eth0p up
ip addr add 203.0.113.1/24 dev eth0
ip route add default via 203.0.113.254
ulimit -n 19000 2>/dev/null
python3 - "$n" <<'EOF' &
import socket, sys, time
keep = []
for i in range(int(sys.argv[1])):
    s = socket.socket()
    s.bind(("0.0.0.0", 10000 + i))
    s.listen(1)
    keep.append(s)
open("/tmp/.ringfence-load-%d" % __import__("os").getpid(), "w").close()
time.sleep(600)
EOF
listener=$!
for ((i = 0; i < n; i++)); do busybox sleep 600 & done
while [ ! -e /tmp/.ringfence-load-$listener ]; do sleep 0.1; done
rm -f /tmp/.ringfence-load-$listener
echo up
sleep 600
