#!/bin/sh
# The fix on a machine whose init is systemd, with firewalld, ufw and nftables.service: a Debian system in a container
# of systemd-nspawn, in a network namespace of its own. Installs what it needs. For each of SUITES it takes two minutes of downloads, the first time, and six.
set -eu
cd "$(dirname "$0")/.."
missing=
for p in mmdebstrap:mmdebstrap systemd-nspawn:systemd-container ip:iproute2; do
	command -v "${p%%:*}" >/dev/null || missing="$missing ${p#*:}"
done
if [ -n "$missing" ]; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
mkdir -p build/systemd
for suite in ${SUITES:-bookworm trixie}; do
	root=$PWD/build/systemd/root-$suite.tar
	if [ ! -s "$root" ]; then
		mmdebstrap --quiet --format=tar --variant=minbase \
			--include=systemd-sysv,dbus,nftables,iproute2,procps,kmod,openssh-server,firewalld,ufw,iptables,polkitd \
			"$suite" "$root.part"
		mv "$root.part" "$root"
	fi
	RINGFENCE_SYSTEMD_ROOT=$root go test -count=1 -timeout 30m -v -run 'UnderSystemd' ./e2e
done
