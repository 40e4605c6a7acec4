#!/bin/sh
# The fix on another kernel, whose clock may be moved: a guest of QEMU under software emulation with Debian's kernel.
# Trials must last as long as they were to, whatever the clock says, and rules of the family bridge close on that
# kernel too. Installs what is missing; takes some minutes.
set -eu
cd "$(dirname "$0")/.."
set -- qemu-system-x86_64 qemu-system-x86 cpio cpio busybox busybox-static depmod kmod nft nftables ip iproute2
. e2e/vmkernel.sh
root=$work/fixroot
rm -rf $root
mkdir -p $root/bin $root/proc $root/sys $root/dev $root/run $root/tmp $root/var/lib $root/etc $root/modules $root/www
cp "$(command -v busybox)" bin/ringfence $root/bin/
for p in nft ip sysctl bash; do
	file=$(command -v $p)
	cp "$file" $root/bin/
	for lib in $(ldd "$file" | grep -o '/[^ )]*'); do
		mkdir -p "$root$(dirname "$lib")"; cp -L "$lib" "$root$lib"
	done
done
version=$(ls $work/kernel/lib/modules)
depmod -b $work/kernel "$version"
for m in veth bridge br_netfilter nf_tables nft_ct nft_fib_inet nft_chain_nat nft_meta_bridge nf_conntrack inet_diag tcp_diag udp_diag; do
	modprobe -d $work/kernel -S "$version" --show-depends $m | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' >$work/modules
while read -r m; do
	cp "$m" $root/modules/; basename "$m"
done <$work/modules >$root/modules/order
echo 'zones: {management: {interfaces: [p2]}, workload: {interfaces: [br0]}}' >$root/etc/ports.yaml
echo hello >$root/www/index.html
cp e2e/vmfix-guest.sh $root/init
chmod +x $root/init
(cd $root && find . | cpio --quiet -o -H newc) >$work/fixinitrd
guest $work/fixinitrd -serial file:$work/fixconsole.txt -serial file:$work/fixserial.txt
tr -d '\r' <$work/fixserial.txt | tee $work/fixresult.txt
grep -q '^done$' $work/fixresult.txt || { tail -20 $work/fixconsole.txt; exit 1; }
! grep -q '^FAIL' $work/fixresult.txt
