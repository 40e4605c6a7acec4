#!/bin/bash
# Real SSH servers whose settings are not what their file says at first sight. Arguments: the program to test, a directory for its output.
# One line a scene goes to scenes: its name, then each check with its status. Everything ends with the private pid namespace.
set -u
exec unshare -n -m --propagation private -f -p --kill-child --mount-proc bash -c '
prog=$1 out=$2
set -u
mount -t tmpfs tmpfs /run; mkdir -p /run/sshd $out/etc
cp -a /etc/ssh $out/etc/ssh; rm -f $out/etc/ssh/sshd_config.d/* $out/etc/ssh/ssh_host*
cp /etc/passwd /etc/shadow $out/etc/
grep -q "^alice:" $out/etc/passwd || echo "alice:x:1777:1777::/home/alice:/bin/bash" >>$out/etc/passwd
hash="\$6\$abcdefgh\$$(printf "%086d" 0)"
sed -i "/^alice:/d; s|^root:[^:]*:|root:$hash:|" $out/etc/shadow; echo "alice:$hash:19000:0:99999:7:::" >>$out/etc/shadow
mount --bind $out/etc/ssh /etc/ssh; mount --bind $out/etc/passwd /etc/passwd; mount --bind $out/etc/shadow /etc/shadow
ssh-keygen -q -A; ip link set lo up
base="UsePAM no\nPermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
waits() { for i in $(seq 200); do ss -Hltn | grep -q ":$1 " && return; sleep 0.05; done; echo "$1" >>$out/failed; }
ask() {
	"$prog" audit -q -f json --fail-on none >$out/$1.json
}
scene() { name=$1; shift; "$@" >$out/$name.log 2>&1 & pid=$!; waits 22; ask $name; kill $pid; wait $pid 2>/dev/null; }

printf "$base" >/etc/ssh/sshd_config; scene options /usr/sbin/sshd -D -o PasswordAuthentication=yes -o PermitRootLogin=yes
printf "UsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch User alice\n PasswordAuthentication yes\n" >/etc/ssh/sshd_config
scene match /usr/sbin/sshd -D
printf "UsePAM no\nPermitRootLogin no\nAuthenticationMethods publickey,password\n" >/etc/ssh/sshd_config; scene factors /usr/sbin/sshd -D
printf "UsePAM no\nPermitRootLogin yes\nAllowUsers alice\n" >/etc/ssh/sshd_config; scene allowed /usr/sbin/sshd -D
printf "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM no\n" >/etc/ssh/sshd_config
printf "PermitRootLogin yes  # for ansible\nPasswordAuthentication yes # until keys\n" >/etc/ssh/sshd_config.d/10.conf
/usr/sbin/sshd -D & pid=$!; waits 22
mv /run/sshd /run/away; ask comments; mv /run/away /run/sshd
printf "PasswordAuthentication no\nKbdInteractiveAuthentication no\n" >/etc/ssh/sshd_config.d/05.conf; ask changed
before=$(stat -c %z /run/sshd.pid); kill -HUP $pid
for i in $(seq 200); do [ "$(stat -c %z /run/sshd.pid 2>/dev/null)" != "$before" ] && [ -s /run/sshd.pid ] && break; sleep 0.05; done; waits 22
ask reloaded; kill $pid; wait $pid 2>/dev/null; rm /etc/ssh/sshd_config.d/*
# Two servers of one path, the second with files of its own.
printf "UsePAM no\nPermitRootLogin yes\nPasswordAuthentication yes\n" >/etc/ssh/sshd_config
/usr/sbin/sshd -D & waits 22
unshare -m -p -f bash -c "mkdir -p $out/inner; cp -a /etc/ssh/. $out/inner; printf \"$base\" >$out/inner/sshd_config; mount --bind $out/inner /etc/ssh; exec /usr/sbin/sshd -D -p 2222" & waits 2222
ask two
if [ -x /usr/sbin/dropbear ]; then
	mkdir -p $out/dropbear; mount -t tmpfs tmpfs $out/dropbear; kill %1 2>/dev/null; sleep 0.1
	/usr/sbin/dropbear -F -E -R -g -p 2200 -P /run/dropbear.pid -r $out/dropbear/key >$out/dropbear.log 2>&1 & waits 2200
	ask dropbear
fi
' sshfacts "$@"
