# Scenes beside dockerd, for agents.sh.

# pair NAME HOST_ADDR ADDR [nodad]: a namespace that a veth pair leads to
pair() {
	set -- "$@" ""
	ip netns add $1; ip link add h$1 type veth peer name eth0 netns $1
	ip addr add $2 dev h$1 $4; ip link set h$1 up
	ip -n $1 link set lo up; ip -n $1 addr add $3 dev eth0 $4; ip -n $1 link set eth0 up
	case $2 in *:*) ip -n $1 -6 route add default via ${2%/*} ;; *) ip -n $1 route add default via ${2%/*} ;; esac
}

# A pair alone, routed, with and without a filter of its own, and one that takes a single sender.
pair veth 10.41.0.1/24 10.41.0.2/24; iptables-nft -I FORWARD -o hveth -j ACCEPT; iptables-nft -I FORWARD -i hveth -j ACCEPT
in_netns veth --host 0.0.0.0 --port 8110
scene veth 8110 10.41.0.2:8110 203.0.113.1:8110
in_netns veth --host 127.0.0.1 --port 8111
scene loopback 8111 10.41.0.2:8111
ip netns exec veth nft -f - <<R
table inet own {
	chain i {
		type filter hook input priority 0; policy accept;
		tcp dport 8112 drop
		tcp dport 8113 ip saddr != 203.0.113.9 drop
	}
}
R
in_netns veth --host 0.0.0.0 --port 8112
scene filtered 8112 10.41.0.2:8112
in_netns veth --host 0.0.0.0 --port 8113
scene picky 8113 10.41.0.2:8113

# IPv6 alone.
pair six fd41::1/64 fd41::2/64 nodad
in_netns six --host :: --port 8114
scene six 8114 [fd41::2]:8114

# A chain of namespaces that leads to the host, and one that leads nowhere.
pair mid 10.42.0.1/24 10.42.0.2/24; iptables-nft -I FORWARD -o hmid -j ACCEPT; iptables-nft -I FORWARD -i hmid -j ACCEPT
ip netns exec mid sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward"
ip netns add end; ip -n mid link add v type veth peer name eth0 netns end
ip -n mid addr add 10.43.0.1/24 dev v; ip -n mid link set v up
ip -n end addr add 10.43.0.2/24 dev eth0; ip -n end link set eth0 up; ip -n end link set lo up; ip -n end route add default via 10.43.0.1
ip route add 10.43.0.0/24 via 10.42.0.2
in_netns end --host 0.0.0.0 --port 8115
scene chain 8115 10.43.0.2:8115
ip netns add one; ip netns add two; ip -n one link add v type veth peer name v netns two
for n in one two; do ip -n $n link set v up; ip -n $n link set lo up; done
ip -n one addr add 10.44.0.1/24 dev v; ip -n two addr add 10.44.0.2/24 dev v
in_netns one --host 0.0.0.0 --port 8116
scene island 8116 10.44.0.1:8116 203.0.113.1:8116

# Interfaces that share ext0.
share() { # NAME KIND MODE ADDR
	ip netns add $1
	if ! said=$(ip link add link ext0 name s$1 type $2 mode $3 2>&1); then
		case $said in *"Unknown device type"* | *"not supported"*) missing $1 $2 ;; *) echo "$1: $said" >>$out/failed ;; esac
		return 1
	fi
	ip link set s$1 netns $1
	ip -n $1 addr add $4/24 dev s$1; ip -n $1 link set s$1 up; ip -n $1 link set lo up; ip -n $1 route add default via 203.0.113.9
}
share mvlan macvlan bridge 203.0.113.71 && {
	in_netns mvlan --host 0.0.0.0 --port 8117; scene mvlan 8117 203.0.113.71:8117
	in_netns mvlan --host 0.0.0.0 --port 8118; scene mvfilter 8118 203.0.113.71:8118
	ip netns exec mvlan nft add table inet own
	ip netns exec mvlan nft add chain inet own i "{ type filter hook input priority 0; policy accept; tcp dport 8118 drop; }"
}
share mvprivate macvlan private 203.0.113.72 && { in_netns mvprivate --host 0.0.0.0 --port 8119; scene mvprivate 8119 203.0.113.72:8119; }
share ivlan2 ipvlan l2 203.0.113.73 && { in_netns ivlan2 --host 0.0.0.0 --port 8120; scene ivlan2 8120 203.0.113.73:8120; }
share ivlan3 ipvlan l3 203.0.113.74 && { in_netns ivlan3 --host 0.0.0.0 --port 8121; scene ivlan3 8121 203.0.113.74:8121; }

# Sockets that are handed from one namespace to another.
ip netns add act
python3 /usr/local/bin/hand.py 0.0.0.0 8122 host act >>$out/agents.log 2>&1 &
scene handedin 8122 203.0.113.1:8122
python3 /usr/local/bin/hand.py 10.41.0.2 8123 veth host >>$out/agents.log 2>&1 &
scene handedout 8123 10.41.0.2:8123 203.0.113.1:8123

# runc in a namespace that has a name.
mkdir -p $work/bundle; cp -a $image $work/bundle/rootfs
(cd $work/bundle && runc spec && python3 - <<P
import json
c = json.load(open("config.json"))
c["process"]["terminal"] = False
c["process"]["args"] = ["python3", "/usr/local/bin/vllm", "serve", "m", "--host", "0.0.0.0", "--port", "8124"]
c["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
for n in c["linux"]["namespaces"]:
    if n["type"] == "network":
        n["path"] = "/run/netns/veth"
json.dump(c, open("config.json", "w"))
P
runc run -d agentrunc >/dev/null 2>>$out/run.log </dev/null) || echo "runc" >>$out/failed
scene runc 8124 10.41.0.2:8124

# Podman with netavark.
mkdir -p /etc/containers
echo "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}" >/etc/containers/policy.json
printf "[engine]\nevents_logger=\"file\"\ncgroup_manager=\"cgroupfs\"\n[network]\nnetwork_backend=\"netavark\"\n" >/etc/containers/containers.conf
printf "[storage]\ndriver=\"vfs\"\nrunroot=\"/run/containers/storage\"\ngraphroot=\"/var/lib/containers/storage\"\n" >/etc/containers/storage.conf
(unset DOCKER_HOST; tar -C $image -c . | podman import - py:1 >/dev/null 2>>$out/run.log
podman run -d --name pod -v /usr:/usr:ro -p 8025:8125 py:1 python3 /usr/local/bin/vllm serve m --host 0.0.0.0 --port 8125 >/dev/null 2>>$out/run.log </dev/null || echo "podman" >>$out/failed)
scene podman 8125 203.0.113.1:8025 $(env -u DOCKER_HOST podman inspect -f "{{.NetworkSettings.IPAddress}}" pod):8125

# A program that holds the other end: slirp4netns, pasta, a tun device.
if [ -c /dev/net/tun ]; then
	ip netns add slirp; in_netns slirp --host 0.0.0.0 --port 8126; slirped=$!
	until_true listens 8126
	slirp4netns --configure --netns-type=path --api-socket $work/slirp.sock /run/netns/slirp tap0 >>$out/run.log 2>&1 &
	until_true test -S $work/slirp.sock
	python3 - <<P || echo "slirp4netns" >>$out/failed
import json, socket
s = socket.socket(socket.AF_UNIX); s.connect("$work/slirp.sock")
s.sendall(json.dumps({"execute": "add_hostfwd", "arguments": {"proto": "tcp", "host_addr": "0.0.0.0", "host_port": 8026, "guest_port": 8126}}).encode())
s.shutdown(socket.SHUT_WR)
assert b"return" in s.recv(1000)
P
	scene slirp 8126 203.0.113.1:8026
else missing slirp TUN; fi
if [ -c /dev/net/tun ]; then
	ip netns add pasta; in_netns pasta --host 0.0.0.0 --port 8127
	pasta --config-net --runas 0 -f -t 8127 -u none -T none -U none --netns-only --netns /run/netns/pasta >>$out/run.log 2>&1 &
	until_true grep -qE ":1FBF 0+:0000 0A" /proc/net/tcp /proc/net/tcp6 # port 8127
	scene pasta 8127 203.0.113.1:8127
else missing pasta TUN; fi
if [ -c /dev/net/tun ]; then
	ip netns add tun; ip netns exec tun python3 /usr/local/bin/tun.py &
	until_true ip netns exec tun test -e /proc/sys/net/ipv4/conf/tun0; ip -n tun addr add 10.45.0.2/24 dev tun0; ip -n tun link set tun0 up; ip -n tun link set lo up
	in_netns tun --host 0.0.0.0 --port 8128
	scene tun 8128 10.45.0.2:8128
else missing tun TUN; fi
