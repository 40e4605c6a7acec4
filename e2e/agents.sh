#!/bin/bash
# Agents that listen in network namespaces of all kinds, with the real software, and who connects to them. Arguments: the program to test, a
# directory for its output, the name of a network namespace, options of dockerd. Writes to out/scenes the name and port of each agent,
# to out/truth who gets an answer of whom, and to out/missing what the kernel does not have. Everything ends with the private pid
# namespace.
set -u
prog=$1 out=$2 ns=$3 options=$4
exec ip netns exec "$ns" unshare -m --propagation private -f -p --kill-child --mount-proc bash -c '
prog=$1 out=$2 options=$3 work=$2/work here=$4
set -u
. $here/enclosed.sh
mount -t tmpfs tmpfs /usr/local/bin
cp $here/testdata/agents/vllm /usr/local/bin/vllm; cp $here/testdata/agents/vllm /usr/local/bin/uvicorn.py; cp $here/testdata/agents/*.py /usr/local/bin/
export PYTHONPATH=/usr/local/bin
# A daemon that switches forwarding on itself closes it to others too: here it was on.
echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip netns add ext; ip link add ext0 type veth peer name eth0 netns ext
ip addr add 203.0.113.1/24 dev ext0; ip addr add fd20::1/64 dev ext0 nodad; ip link set ext0 up
ip -n ext addr add 203.0.113.9/24 dev eth0; ip -n ext addr add fd20::9/64 dev eth0 nodad
ip -n ext link set eth0 up; ip -n ext link set lo up; ip -n ext route add default via 203.0.113.1; ip -n ext -6 route add default via fd20::1
ip route add default via 203.0.113.9; ip -6 route add default via fd20::9

>$out/scenes; >$out/ask; >$out/missing; >$out/failed
# scene NAME PORT ADDR:PORT...: an agent by its port, and where somebody may try to connect to it
scene() { echo "$1 $2" >>$out/scenes; n=$1 p=$2; shift 2; for a; do echo "$n $p $a" >>$out/ask; done; }
missing() { echo "$1: the kernel lacks: $2" >>$out/missing; }
agent() { python3 /usr/local/bin/vllm serve m "$@" >>$out/agents.log 2>&1 & }
in_netns() { n=$1; shift; ip netns exec $n python3 /usr/local/bin/vllm serve m "$@" >>$out/agents.log 2>&1 & }

# until_true COMMAND...: waits for a state, a minute at most
until_true() { for i in $(seq 600); do "$@" && return; sleep 0.1; done; echo "$*" >>$out/failed; }
listens() { cat /proc/[0-9]*/net/tcp /proc/[0-9]*/net/tcp6 2>/dev/null | grep -qE ":$(printf %04X $1) 0+:0000 0A"; } # in whatever namespace

image=$work/image; mkdir -p $image/usr $image/tmp
for a in bin sbin lib lib64; do ln -s usr/$a $image/$a; done
dockerd --data-root $work/data --exec-root /run/docker -H unix:///run/docker.sock --storage-driver vfs $options >$out/dockerd.log 2>&1 &
docker_answers
tar -C $image -c . | /usr/bin/docker import - py:1 >/dev/null
run() { /usr/bin/docker run -d -v /usr:/usr:ro -e PYTHONPATH=/usr/local/bin "$@" >/dev/null 2>>$out/run.log || echo "docker run $*" >>$out/failed; }
serve="py:1 python3 /usr/local/bin/vllm serve m --host 0.0.0.0 --port"
addr() { /usr/bin/docker inspect -f "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}" $1; }
run --name published -p 8000:8000 $serve 8000
scene published 8000 203.0.113.1:8000 $(addr published | sed "s/ *$/:8000/")
run --name webui -p 3000:8080 -e WEBUI_AUTH=False py:1 python3 -m uvicorn open_webui.main:app --host 0.0.0.0 --port 8080
scene webui 8080 203.0.113.1:3000 $(addr webui | sed "s/ *$/:8080/")
run --name local -p 127.0.0.1:8001:8101 $serve 8101
scene local 8101 203.0.113.1:8001 $(addr local | sed "s/ *$/:8101/")
run --name closed $serve 8102
scene closed 8102 203.0.113.1:8102 $(addr closed | sed "s/ *$/:8102/")
run --name inner -p 8006:8106 py:1 python3 /usr/local/bin/vllm serve m --host 127.0.0.1 --port 8106
scene inner 8106 203.0.113.1:8006 $(addr inner | sed "s/ *$/:8106/")
run --name hostnet --network host $serve 8103
scene hostnet 8103 203.0.113.1:8103
/usr/bin/docker network create second >/dev/null; /usr/bin/docker network create third >/dev/null
run --name several -p 8004:8104 $serve 8104
for n in second third; do /usr/bin/docker network connect $n several; done
scene several 8104 203.0.113.1:8004 $(for a in $(addr several); do echo $a:8104; done)
if [ -z "$options" ]; then . $here/testdata/agents/others.sh; fi
while read -r n p; do until_true listens $p; done <$out/scenes
# Who gets an answer: the external zone, and a container as a workload.
ip netns exec ext python3 /usr/local/bin/connect.py external <$out/ask >$out/truth
nsenter -t $(/usr/bin/docker inspect -f "{{.State.Pid}}" closed) -n python3 /usr/local/bin/connect.py workload <$out/ask >>$out/truth
printf "zones:\n  external: {interfaces: [ext0]}\n" >$work/config.yaml; chmod 600 $work/config.yaml
"$prog" collect -q >$out/snapshot.json 2>$out/collect.log
"$prog" audit -q --config $work/config.yaml --snapshot $out/snapshot.json -f json --fail-on none >$out/report.json 2>$out/audit.log
' agents "$prog" "$out" "$options" "$PWD"
