# What the scripts with real daemons begin with, in a mount and pid namespace of their own: files and control groups that are theirs alone, and the
# root of an image made from busybox. $work is a directory for it.
mkdir -p $work
mount -t tmpfs tmpfs $work
for d in etc var; do mkdir -p $work/$d-u $work/$d-w; mount -t overlay overlay -o lowerdir=/$d,upperdir=$work/$d-u,workdir=$work/$d-w /$d; done
mount -t tmpfs tmpfs /run; mkdir -p /run/lock /run/netns /run/docker
mount -t tmpfs tmpfs /sys/fs/cgroup
for c in cpu cpuacct cpuset memory devices freezer blkio pids; do mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c; done
mkdir /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
ip link set lo up
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DOCKER_HOST=unix:///run/docker.sock DOCKER_API_VERSION=1.41
image=$work/image; mkdir -p $image/bin
cp /bin/busybox $image/bin/; for a in sh sleep id nc httpd; do ln -s busybox $image/bin/$a; done
