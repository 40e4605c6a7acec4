#!/bin/bash
# Daemons and containers that are not what they look like at first sight: sockets beside the interface, interfaces at other places, powers
# that are not in the effective set, containers that no specification describes. Arguments as of containers.sh.
set -u
prog=$1 out=$2 ns=$3
exec ip netns exec "$ns" unshare -m --propagation private -f -p --kill-child --mount-proc bash -c '
prog=$1 out=$2 work=$2/work
set -u
. ./enclosed.sh
busybox_image
mount -t tmpfs -o mode=755 tmpfs /srv
ip link add eth0 type veth peer name eth0p; ip link set eth0 up; ip link set eth0p up
ip addr add 203.0.113.1/24 dev eth0; ip route add default via 203.0.113.254

mkdir -p /etc/docker; echo "{\"metrics-addr\": \"127.0.0.1:9323\", \"experimental\": true}" >/etc/docker/daemon.json
dockerd --data-root $work/data --exec-root /run/docker -H unix:///run/docker.sock -H unix:///srv/docker-alt.sock --storage-driver vfs >$out/dockerd.log 2>&1 &
containerd --root $work/c2 --state /run/c2 --address /run/c2/containerd.sock >$out/containerd.log 2>&1 &
docker_answers
chmod 666 /srv/docker-alt.sock
command -v setfacl >/dev/null && setfacl -m u:65534:rw /run/docker.sock && touch $out/acl
/usr/bin/docker swarm init --advertise-addr 203.0.113.1 >/dev/null 2>>$out/run.log || echo "swarm" >>$out/failed
tar -C $image -c . | /usr/bin/docker import - bb:1 >/dev/null
run() { /usr/bin/docker run -d "$@" >/dev/null 2>>$out/run.log || echo "docker run $*: failed" >>$out/failed; }
run --name althold -v /srv/docker-alt.sock:/var/run/docker.sock bb:1 /bin/sleep 1000
run --name cannot --user 1000 -v /run/docker.sock:/var/run/docker.sock bb:1 /bin/sleep 1000

# podman, rootful: all capabilities in the bounding set of a user, with a program that runs as root and without one.
mkdir -p /etc/containers
echo "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}" >/etc/containers/policy.json
printf "[engine]\nevents_logger=\"file\"\ncgroup_manager=\"cgroupfs\"\n" >/etc/containers/containers.conf
printf "[storage]\ndriver=\"vfs\"\nrunroot=\"/run/containers/storage\"\ngraphroot=\"/var/lib/containers/storage\"\n" >/etc/containers/storage.conf
unset DOCKER_HOST
tar -C $image -c . | podman import - bb:1 >/dev/null 2>>$out/run.log
cp $image/bin/busybox $image/bin/su; chmod 4755 $image/bin/su
tar -C $image -c . | podman import - bb:2 >/dev/null 2>>$out/run.log
podman run -d --name becomes --privileged --user 1000 --network none bb:2 /bin/sleep 1000 >/dev/null 2>>$out/run.log || echo "podman: failed" >>$out/failed
podman run -d --name without --privileged --user 1000 --network none bb:1 /bin/sleep 1000 >/dev/null 2>>$out/run.log || echo "podman: failed" >>$out/failed

# A container of LXC: its cgroup names it, and there is no specification.
mkdir -p /sys/fs/cgroup/systemd/lxc.payload.web /sys/fs/cgroup/systemd/lxc.monitor.web /sys/fs/cgroup/systemd/system.slice/hardened.service
(echo $BASHPID >/sys/fs/cgroup/systemd/lxc.payload.web/cgroup.procs; exec unshare -mpf --mount-proc sleep 1000) &
(echo $BASHPID >/sys/fs/cgroup/systemd/lxc.monitor.web/cgroup.procs; exec sleep 1000) &
# A service with a user namespace of its own, as of PrivateUsers=.
(echo $BASHPID >/sys/fs/cgroup/systemd/system.slice/hardened.service/cgroup.procs; exec unshare -Ur sleep 1000) &
# An agent that is not root and has capabilities, as of AmbientCapabilities=.
cp /bin/sleep $work/openclaw-gateway
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps +sys_admin,+dac_read_search --ambient-caps +sys_admin,+dac_read_search $work/openclaw-gateway 1000 &

for i in $(seq 600); do [ $(pidof sleep | wc -w) -ge 7 ] && break; sleep 0.1; done
for i in $(seq 100); do ss -Hltn | grep -q :2377 && ss -Hltnp | grep -q containerd && break; sleep 0.1; done
ss -Hltnp >$out/listeners
"$prog" collect -q >$out/snapshot.json
"$prog" audit -q --snapshot $out/snapshot.json -f json --fail-on none >$out/report.json
' containers "$prog" "$out"
