# What the scripts with real daemons begin with, in a mount and pid namespace of their own: files and control groups that are theirs alone. $work is
# a directory for it, $out one for results. What the kernel lacks is written to out/skip by its name; a daemon that does not start is a failure.
lacks() { echo "the kernel lacks: $1" >$out/skip; exit 0; }
mkdir -p $work
mount -t tmpfs tmpfs $work
for d in etc var; do
	mkdir -p $work/$d-u $work/$d-w
	mount -t overlay overlay -o lowerdir=/$d,upperdir=$work/$d-u,workdir=$work/$d-w /$d || lacks "overlay file systems (CONFIG_OVERLAY_FS)"
done
mount -t tmpfs tmpfs /run; mkdir -p /run/lock /run/netns /run/docker
mount -t tmpfs tmpfs /sys/fs/cgroup
for c in cpu cpuacct cpuset memory devices freezer blkio pids; do mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c; done
mkdir /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
mountpoint -q /sys/fs/cgroup/devices || lacks "control groups of version 1 that can be mounted (devices)"
ip link set lo up
ip link add probe0 type bridge && ip link del probe0 || lacks "bridges (CONFIG_BRIDGE)"
ip link add probe0 type veth peer name probe1 && ip link del probe0 || lacks "pairs of interfaces (CONFIG_VETH)"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DOCKER_HOST=unix:///run/docker.sock DOCKER_API_VERSION=1.41
iptables -t nat -n -L >/dev/null || lacks "translation by iptables (CONFIG_NF_NAT)"

# busybox_image makes the root of an image in $image.
busybox_image() {
	image=$work/image; mkdir -p $image/bin
	cp /bin/busybox $image/bin/; for a in sh sleep id nc httpd; do ln -s busybox $image/bin/$a; done
}

# docker_answers waits for a daemon that was started.
docker_answers() {
	for i in $(seq 600); do /usr/bin/docker version >/dev/null 2>&1 && return; sleep 0.1; done
	echo "dockerd does not answer"; tail -20 $out/dockerd.log; exit 1
}
