#!/bin/busybox sh
# What vmfix.sh runs in its guest: each scene writes a line to the second serial port.
export PATH=/bin
/bin/busybox --install -s /bin/ 2>/dev/null
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
while read -r m; do insmod "/modules/$m"; done </modules/order
ip() { /bin/ip "$@"; } # not the shell's own
say() { echo "$*"; echo "$*" >/dev/ttyS1; }

for n in ext w1 w2; do ip netns add $n; ip -n $n link set lo up; done
ip link set lo up
ip link add ext0 type veth peer name eth0 netns ext
ip link add br0 type bridge
for n in 1 2; do
	ip link add p$n type veth peer name eth0 netns w$n
	ip link set p$n master br0 up
	ip -n w$n addr add 10.0.0.1$n/24 dev eth0; ip -n w$n addr add fd00::1$n/64 dev eth0 nodad; ip -n w$n link set eth0 up
done
ip addr add 10.0.0.1/24 dev br0; ip addr add fd00::1/64 dev br0 nodad; ip link set br0 up
ip addr add 203.0.113.1/24 dev ext0; ip addr add fd20::1/64 dev ext0 nodad; ip link set ext0 up
ip -n ext addr add 203.0.113.9/24 dev eth0; ip -n ext addr add fd20::9/64 dev eth0 nodad; ip -n ext link set eth0 up
ip route add default via 203.0.113.9; ip -n w1 route add default via 10.0.0.1; ip -n w2 route add default via 10.0.0.1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
httpd -p '[::]:2375' -h /www
for n in w1 w2; do ip netns exec $n httpd -p '[::]:80' -h /www; done
sleep 3

# get connects from a namespace to an address and port: busybox cannot, its look-up of names needs libraries.
get() { ip netns exec "$1" timeout 3 /bin/bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; }
# opens and shut want a connection to be possible, in both families, or not.
opens() { for a in 203.0.113.1 fd20::1; do get ext $a 2375 || { say "FAIL $1: $a is closed"; return; }; done; say "ok $1"; }
shut() { for a in 203.0.113.1 fd20::1; do ! get ext $a 2375 || { say "FAIL $1: $a is open"; return; }; done; say "ok $1"; }
# until waits for a condition for some seconds.
until_true() { left=$1; shift; while ! "$@"; do left=$((left - 1)); [ $left -gt 0 ] || return 1; sleep 1; done; }
on_trial() { ringfence fix status | grep -q 'is on trial for another'; }
nothing() { [ -z "$(nft list tables | grep ringfence)" ]; }
stopped() { [ -n "$(nft list tables | grep ringfence_trial)" ] && ! nft list set inet ringfence_trial armed | grep -q elements; }
up() { cut -d. -f1 /proc/uptime; }
try() { ringfence fix apply --confirm new-session --confirm-timeout "$1" >/tmp/out 2>&1 </dev/null & pid=$!; until_true 60 grep -q 'on trial as fix' /tmp/out || { say "FAIL no trial: $(tail -3 /tmp/out)"; }; }

(sleep 500; say 'FAIL it takes too long'; poweroff -f) &
say "kernel $(uname -r)"
opens 'before'

began=$(up); try 60s
shut 'on trial'
date -s '2040-01-01 00:00:00' >/dev/null; sleep 2
if on_trial; then say 'ok a clock that jumps ahead does not end the trial'; else say "FAIL the trial ended when the clock jumped ahead: $(tail -3 /tmp/out)"; fi
shut 'on trial, years later'
date -s '2001-01-01 00:00:00' >/dev/null; sleep 2
if on_trial; then say 'ok a clock that is set back does not end the trial'; else say "FAIL the trial ended when the clock was set back: $(tail -3 /tmp/out)"; fi
shut 'on trial, years before'
until_true 90 nothing; took=$(($(up) - began))
if nothing && [ $took -ge 55 ] && [ $took -le 100 ]; then say "ok the trial ended in time ($took s)"; else say "FAIL the trial ended after $took s"; fi
wait $pid; code=$?
if [ $code = 4 ]; then say 'ok exit code 4'; else say "FAIL exit code $code: $(tail -3 /tmp/out)"; fi
opens 'after the trial'

began=$(up); try 30s
date -s '1999-01-01 00:00:00' >/dev/null
for p in $(pidof ringfence); do kill -9 $p; done
shut 'nobody is left'
until_true 90 stopped; took=$(($(up) - began))
if stopped && [ $took -le 90 ]; then say "ok the kernel stopped the drops by itself ($took s)"; else say "FAIL the drops work after $took s"; fi
opens 'after the kernel stopped them'
ringfence fix rollback 2>/dev/null; if nothing; then say 'ok rolled back'; else say 'FAIL not rolled back'; fi

try 120s
date -s '2033-03-03 03:03:03' >/dev/null
ringfence fix confirm --console >/tmp/confirm 2>&1; code=$?; wait $pid
if [ $code = 0 ] && ringfence fix verify >/dev/null; then say 'ok confirmed after the clock jumped'; else say "FAIL confirm: code $code: $(tail -3 /tmp/confirm)"; fi
shut 'confirmed'
ringfence fix uninstall 2>/dev/null; opens 'uninstalled'

(while :; do date -s '2040-01-01 00:00:00'; usleep 100000; date -s '2001-01-01 00:00:00'; usleep 100000; done) >/dev/null 2>&1 & stepper=$!
ringfence fix apply --confirm auto >/tmp/out 2>&1; code=$?
kill $stepper
if [ $code = 0 ] && ringfence fix verify >/dev/null; then say 'ok applied while the clock jumped'; else say "FAIL applied while the clock jumped: code $code: $(tail -3 /tmp/out)"; fi
shut 'applied'
ringfence fix uninstall 2>/dev/null

for a in 10.0.0.12 fd00::12; do if get w1 $a 80; then say "ok w1 reaches $a before"; else say "FAIL w1 does not reach $a before"; fi; done
ringfence fix apply --config /etc/ports.yaml --confirm auto >/tmp/out 2>&1; code=$?
if [ $code = 0 ] && nft list tables | grep -q 'bridge ringfence'; then say 'ok ports of a bridge'; else say "FAIL ports of a bridge: code $code: $(tail -3 /tmp/out)"; fi
for a in 10.0.0.12 fd00::12; do if get w1 $a 80; then say "FAIL w1 reaches $a"; else say "ok w1 does not reach $a"; fi; done
for a in 10.0.0.11 fd00::11; do if get w2 $a 80; then say "ok w2 reaches $a"; else say "FAIL w2 does not reach $a"; fi; done
ringfence fix uninstall 2>/dev/null; if nothing; then say 'ok nothing is left'; else say 'FAIL something is left'; fi
say done
poweroff -f
