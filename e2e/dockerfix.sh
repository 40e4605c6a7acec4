#!/bin/bash
# A fix beside a running dockerd: what it closes stays closed while dockerd changes its rules, and dockerd's own
# rules and traffic are as before. Arguments: the program to test, a directory for its output, the name of a
# network namespace. Writes lines of a name and yes or no to out/flows. Everything ends with the private pid namespace.
set -u
prog=$1 out=$2 ns=$3
exec ip netns exec "$ns" unshare -m --propagation private -f -p --kill-child --mount-proc bash -c '
prog=$1 out=$2 work=$2/work
set -u
. ./enclosed.sh
busybox_image
world() { # a peer behind an interface: name, interface, address of the host, of the peer
	ip netns add $1; ip link add $2 type veth peer name eth0 netns $1
	ip addr add $3/24 dev $2; ip link set $2 up
	ip -n $1 addr add $4/24 dev eth0; ip -n $1 link set eth0 up; ip -n $1 link set lo up; ip -n $1 route add default via $3
}
world ext ext0 203.0.113.1 203.0.113.9
world mgmt mgmt0 10.10.0.1 10.10.0.9
ip route add default via 203.0.113.9
ip netns exec ext busybox httpd -p 80 -h /

dockerd --data-root $work/data --exec-root /run/docker -H unix:///run/docker.sock -H tcp://0.0.0.0:2375 --tls=false --storage-driver vfs >$out/dockerd.log 2>&1 &
docker_answers
tar -C $image -c . | /usr/bin/docker import - bb:1 >/dev/null
/usr/bin/docker run -d --name web -p 8080:80 bb:1 /bin/httpd -f -p 80 -h / >/dev/null; serves

# A filter on input alone, as ufw has it: published ports go past it.
nft -f - <<R
table inet guard {
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		ct state established,related accept
		iifname "docker0" accept
		tcp dport { 22, 2375 } accept
	}
}
R
open() { ip netns exec $1 timeout $4 bash -c "</dev/tcp/$2/$3" 2>/dev/null && echo yes || echo no; }
flows() { # beside each other: what is closed shows by silence
	echo "$1 ext-api $(open ext 203.0.113.1 2375 3)" & a=$!
	echo "$1 ext-published $(open ext 203.0.113.1 8080 3)" & b=$!
	echo "$1 mgmt-api $(open mgmt 10.10.0.1 2375 30)" & c=$!
	echo "$1 host-published $(timeout 30 bash -c "</dev/tcp/127.0.0.1/8080" 2>/dev/null && echo yes || echo no)" & d=$!
	echo "$1 egress $(/usr/bin/docker exec web /bin/nc -w 30 203.0.113.9 80 </dev/null >/dev/null 2>&1 && echo yes || echo no)" & e=$!
	wait $a $b $c $d $e
}
serves() { # until the container does
	for i in $(seq 600); do timeout 1 bash -c "</dev/tcp/$(/usr/bin/docker inspect -f "{{.NetworkSettings.IPAddress}}" web)/80" 2>/dev/null && return; sleep 0.1; done
}
rules() { iptables-nft-save | grep -v "^[#:]"; }
printf "zones:\n  management: {interfaces: [mgmt0]}\n  external: {interfaces: [ext0]}\n  workload: {interfaces: [docker0]}\n" >$work/config.yaml
chmod 600 $work/config.yaml
rules >$out/docker-before
flows before >$out/flows
"$prog" fix apply -q --config $work/config.yaml --confirm auto >$out/apply.log 2>&1; echo "apply code $?" >>$out/flows
flows fixed >>$out/flows
rules >$out/docker-fixed
/usr/bin/docker restart -t 1 web >/dev/null; serves
flows restarted >>$out/flows
/usr/bin/docker rm -f web >/dev/null
/usr/bin/docker run -d --name web -p 8080:80 bb:1 /bin/httpd -f -p 80 -h / >/dev/null; serves
flows replaced >>$out/flows
# As compose does it with "up": a network of its own, which is gone with "down". Each has a bridge of another name.
up() {
	/usr/bin/docker network create project_default >/dev/null
	/usr/bin/docker run -d --name app --network project_default -p 8081:80 bb:1 /bin/httpd -f -p 80 -h / >/dev/null
	gateway=$(/usr/bin/docker network inspect -f "{{(index .IPAM.Config 0).Gateway}}" project_default)
	for i in $(seq 600); do timeout 1 bash -c "</dev/tcp/127.0.0.1/8081" 2>/dev/null && break; sleep 0.1; done
	ip -br link show type bridge | grep -o "^br-[0-9a-f]*" >>$out/bridges
}
inside() { /usr/bin/docker exec app /bin/nc -w $3 $1 $2 </dev/null >/dev/null 2>&1 && echo yes || echo no; }
for when in up again; do
	up
	echo "$when ext-published $(open ext 203.0.113.1 8081 30)" >>$out/flows
	echo "$when api $(inside $gateway 2375 3)" >>$out/flows
	echo "$when egress $(inside 203.0.113.9 80 30)" >>$out/flows
	"$prog" fix verify >$out/verify-$when 2>&1; echo "$when verified $?" >>$out/flows
	/usr/bin/docker rm -f app >/dev/null; /usr/bin/docker network rm project_default >/dev/null
done
"$prog" fix verify >$out/verify-down 2>&1; echo "down verified $?" >>$out/flows
"$prog" fix uninstall >$out/uninstall.log 2>&1
flows undone >>$out/flows
# A port that somebody uses is left alone.
ip netns exec ext bash -c "exec 3<>/dev/tcp/203.0.113.1/8080; touch $work/open; sleep 1000" &
for i in $(seq 600); do [ -e $work/open ] && break; sleep 0.1; done
"$prog" fix plan -q --config $work/config.yaml >$out/plan-in-use 2>&1
"$prog" fix apply -q --config $work/config.yaml --mode default-deny --confirm auto >$out/baseline.log 2>&1; echo "baseline code $?" >>$out/flows
flows baseline >>$out/flows
' dockerfix "$prog" "$out"
