#!/bin/bash
# Real containers in a namespace of their own: dockerd, podman and runc from Debian's packages, the
# image made from busybox. Arguments: the program to test, a directory for its output, the name of a
# network namespace. Everything ends with the private pid namespace.
set -u
prog=$1 out=$2 ns=$3
exec ip netns exec "$ns" unshare -m --propagation private -f -p --kill-child --mount-proc bash -c '
prog=$1 out=$2 work=$2/work
set -u
. ./enclosed.sh
busybox_image
ip link add eth0 type veth peer name eth0p; ip link set eth0 up; ip link set eth0p up
ip addr add 203.0.113.1/24 dev eth0; ip route add default via 203.0.113.254

dockerd --data-root $work/data --exec-root /run/docker -H unix:///run/docker.sock -H tcp://0.0.0.0:2375 --tls=false --storage-driver vfs >$out/dockerd.log 2>&1 &
docker_answers
tar -C $image -c . | /usr/bin/docker import - bb:1 >/dev/null
run() { /usr/bin/docker run -d "$@" >/dev/null 2>>$out/run.log || echo "docker run $*: failed" >>$out/failed; }
run --name plain -p 8080:80 bb:1 /bin/sleep 1000
run --name strong --cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined bb:1 /bin/sleep 1000
run --name netadmin --cap-add NET_ADMIN --network host bb:1 /bin/sleep 1000
run --name holder -v /run/docker.sock:/var/run/docker.sock bb:1 /bin/sleep 1000
run --name tight --cap-drop ALL --security-opt no-new-privileges bb:1 /bin/sleep 1000
run --name hostpid --pid host --ipc host bb:1 /bin/sleep 1000

# A user namespace with every capability, which means nothing outside.
unshare -Urpf --mount-proc /bin/sleep 1000 &

# runc alone, by its own default specification.
mkdir -p $work/bundle/rootfs; cp -a $image/. $work/bundle/rootfs
( cd $work/bundle && runc spec && sed -i "s/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"sleep\", \"1000\"/" config.json && runc run -d barerunc >/dev/null 2>>$out/run.log </dev/null )

# runc with a directory of the host, read-only, in which a daemon of root has a socket that is root'"'"'s alone: root of the container speaks to it.
mkdir -p /run/own
/usr/bin/python3 -c "import os,socket,subprocess
s=socket.socket(socket.AF_UNIX); s.bind(\"/run/own/sock\"); os.chmod(\"/run/own/sock\",0o600); s.listen()
while True:
    c,_=s.accept(); subprocess.run([\"/bin/sh\",\"-c\",c.recv(4096).decode()])" &
mkdir -p $work/own/rootfs/own; cp -a $image/. $work/own/rootfs
( cd $work/own && runc spec && sed -i "s/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"sleep\", \"1000\"/; s#\"mounts\": \[#&{\"destination\": \"/own\", \"type\": \"bind\", \"source\": \"/run/own\", \"options\": [\"rbind\", \"ro\"]},#" config.json && runc run -d ownrunc >/dev/null 2>>$out/run.log </dev/null ) || echo "runc ownrunc: failed" >>$out/failed

# podman, rootful.
mkdir -p /etc/containers
echo "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}" >/etc/containers/policy.json
printf "[engine]\nevents_logger=\"file\"\ncgroup_manager=\"cgroupfs\"\n" >/etc/containers/containers.conf
printf "[storage]\ndriver=\"vfs\"\nrunroot=\"/run/containers/storage\"\ngraphroot=\"/var/lib/containers/storage\"\n" >/etc/containers/storage.conf
unset DOCKER_HOST
tar -C $image -c . | podman import - bb:1 >/dev/null 2>>$out/run.log
podman run -d --name pod --privileged --network none bb:1 /bin/sleep 1000 >/dev/null 2>>$out/run.log || echo "podman: failed" >>$out/failed

# The ten that were started, when their programs have.
for i in $(seq 600); do [ $(pidof sleep | wc -w) -ge 10 ] && break; sleep 0.1; done
"$prog" collect -q >$out/snapshot.json
"$prog" audit -q --snapshot $out/snapshot.json -f json --fail-on none >$out/report.json
"$prog" audit -q --snapshot $out/snapshot.json --fail-on none >$out/report.txt
"$prog" paths --snapshot $out/snapshot.json -f json >$out/paths.json
for q in external:host workload:host workload:external external:workload runtime:host host:workload; do
	"$prog" reach -q --from ${q%:*} --to ${q#*:} -f json >$out/asked.$q
	"$prog" reach --from ${q%:*} --to ${q#*:} -f json --snapshot $out/snapshot.json >$out/asked.$q.snapshot
done 2>>$out/run.log
pscap -a >$out/pscap 2>/dev/null
/usr/bin/python3 -c "import ctypes,os,socket,sys
if ctypes.CDLL(None).setns(os.open(\"/proc/\"+sys.argv[1]+\"/ns/mnt\",0),0): sys.exit(\"setns\")
s=socket.socket(socket.AF_UNIX); s.connect(\"/own/sock\"); s.send((\"id -u >\"+sys.argv[2]).encode())" $(runc state ownrunc | sed -n "s/.*\"pid\": \([0-9]*\),/\1/p") $out/took 2>>$out/run.log
for i in $(seq 100); do [ -s $out/took ] && break; sleep 0.1; done
for p in $(pidof sleep); do echo "$p $(getpcaps $p 2>&1)"; done >$out/getpcaps
' containers "$prog" "$out"
