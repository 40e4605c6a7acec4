#!/bin/sh
# The engines that ringfence runs on: packages in booted systems of two suites of Debian, Ansible over SSH in network namespaces, queries, manifests.
# Installs what it needs. It takes about ten minutes the first time, most of it downloads, then four.
set -eu
cd "$(dirname "$0")/.."
missing=
for p in mmdebstrap:mmdebstrap systemd-nspawn:systemd-container ip:iproute2 rpm:rpm podman:podman ansible-playbook:ansible-core sshd:openssh-server sqlite3:sqlite3; do
	command -v "${p%%:*}" >/dev/null || [ -x "/usr/sbin/${p%%:*}" ] || missing="$missing ${p#*:}"
done
if [ -n "$missing" ]; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
work=${RINGFENCE_FLEET:-$PWD/build/fleet}
mkdir -p "$work"
for suite in bookworm trixie; do
	[ -s "$work/root-$suite.tar" ] && continue
	mmdebstrap --quiet --format=tar --variant=minbase --include=systemd-sysv,dbus,nftables,iproute2,procps,openssh-server \
		"$suite" "$work/root-$suite.tar.part"
	mv "$work/root-$suite.tar.part" "$work/root-$suite.tar"
done
rm -rf "$work/files" "$work"/ringfence*
mkdir -p "$work/files"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/files/ringfence" ./cmd/ringfence
cp README.md CHANGELOG.md SECURITY.md LICENSE NOTICE "$work/files/"
sh packaging/packages.sh 0.0.1 amd64 "$work/files" "$work"
# What a cluster would say of manifests and the chart. They take minutes to build the first time, and are left out where that fails.
export GOBIN="$work/bin"
[ -x "$GOBIN/kubectl-validate" ] || go install sigs.k8s.io/kubectl-validate@v0.0.4 || true
[ -x "$GOBIN/helm" ] || go install helm.sh/helm/v3/cmd/helm@v3.19.0 || true
export PATH="$GOBIN:$PATH" RINGFENCE_FLEET="$work"
go test -count=1 -timeout 30m -v -run 'TestFleet(Package|RPM|Image|Manifests|Pipelines)' ./e2e
go test -count=1 -timeout 30m -v -run 'TestFleetAnsible' ./e2e
# Queries on 1,000 hosts: with npm, which brings DuckDB (70 MB), and 500 MB of room.
mkdir -p "$work/duckdb"
[ -d "$work/duckdb/node_modules/@duckdb/node-api" ] ||
	(cd "$work/duckdb" && npm install --silent --no-audit --no-fund --ignore-scripts @duckdb/node-api@1.5.6-r.1)
"$work/files/ringfence" audit --snapshot fixtures/base/host.json -f jsonl >"$work/base.jsonl"
node e2e/duckdb.mjs "$work/base.jsonl" "$work/duckdb" "$PWD"
