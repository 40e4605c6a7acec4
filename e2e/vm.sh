#!/bin/sh
# The in-band reading of a BMC: a guest of QEMU under software emulation with /dev/ipmi0, behind which
# ipmi_sim plays a controller with cipher suite 0, an anonymous user and a public SNMP community.
# Installs what is missing; takes about a minute, most of it downloads.
set -eu
cd "$(dirname "$0")/.."
set -- qemu-system-x86_64 qemu-system-x86 cpio cpio ipmi_sim openipmi busybox busybox-static
. e2e/vmkernel.sh
rm -rf $work/root; mkdir -p $work/root/bin $work/root/proc $work/root/sys $work/root/dev $work/root/modules
cp /bin/busybox $work/root/bin/; cp bin/ringfence $work/root/bin/
for m in ipmi_msghandler ipmi_devintf ipmi_si; do
	cp "$(find $work/kernel -name $m.ko | head -1)" $work/root/modules/
done
cat >$work/root/init <<'EOF'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for m in ipmi_msghandler ipmi_devintf ipmi_si; do /bin/busybox insmod /modules/$m.ko; done
for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /dev/ipmi0 ] && break; /bin/busybox sleep 1; done
/bin/ringfence collect -q -o /snapshot.json --timeout 60s
/bin/ringfence audit -q --snapshot /snapshot.json -f json --fail-on none >/report.json
/bin/busybox cat /report.json >/dev/ttyS1
/bin/busybox cat /snapshot.json >/dev/ttyS2
/bin/busybox poweroff -f
EOF
chmod +x $work/root/init
(cd $work/root && find . | cpio --quiet -o -H newc) >$work/initrd
cat >$work/lan.conf <<'EOF'
name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 9001
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  serial 15 127.0.0.1 9002 codec VM
  startnow false
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "ipmiusr" "test" admin 10 none md2 md5 straight
EOF
printf 'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nsel_enable 0x20 1000 0x0a\nmc_enable 0x20\n' >$work/sim.emu
mkdir -p $work/state
ipmi_sim -c $work/lan.conf -f $work/sim.emu -s $work/state -n >$work/sim.log 2>&1 &
sim=$!
trap 'kill $sim 2>/dev/null || true' EXIT
rm -f $work/report.json
guest $work/initrd -serial file:$work/console.txt -serial file:$work/report.json -serial file:$work/snapshot.json \
	-chardev socket,id=ipmi0,host=127.0.0.1,port=9002,reconnect=5 \
	-device ipmi-bmc-extern,id=bmc0,chardev=ipmi0 -device isa-ipmi-kcs,bmc=bmc0
RINGFENCE_VM_REPORT=$PWD/$work/report.json go test -count=1 -run TestBMCOfTheGuest -v ./e2e
