#!/bin/sh
# A cluster of one node, with the fix beside its kube-proxy and the manifests on it: etcd, API server, controllers, scheduler, kubelet and containerd.
# Builds the programs of Kubernetes in build/kube the first time, as a Go module with the parts that its own go.mod takes from beside it: ten minutes,
# most of it downloads.
set -eu
cd "$(dirname "$0")/.."
version=1.34.4
work=build/kube
programs="kube-proxy kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl"
missing=
for p in etcd:etcd-server containerd:containerd runc:runc openssl:openssl; do
	command -v "${p%%:*}" >/dev/null || missing="$missing ${p#*:}"
done
if [ -n "$missing" ]; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if [ ! -x $work/kubectl ]; then
	rm -rf $work; mkdir -p $work
	(
		cd $work
		printf 'module kube\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n' $version >go.mod
		{ printf '//go:build tools\n\npackage kube\n\nimport (\n'; for p in $programs; do printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' $p; done; echo ')'; } >tools.go
		dir=$(go mod download -json k8s.io/kubernetes@v$version | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
		for m in $(grep -o 'k8s.io/[a-z-]* => ./staging' "$dir/go.mod" | cut -d' ' -f1 | sort -u); do
			echo "replace $m => $m v0.${version#1.}"
		done >>go.mod
		go mod tidy -e >tidy.log 2>&1 || true
		set=k8s.io/component-base/version
		for p in $programs; do # kubectl is the last one
			CGO_ENABLED=0 go build -ldflags "-s -w -X $set.gitVersion=v$version -X $set.gitMajor=1 -X $set.gitMinor=34" -o . k8s.io/kubernetes/cmd/$p
		done
		rm tools.go
	)
fi
# The resources of OpenReports, of the module that has its types.
if [ ! -s $work/reports.yaml ]; then
	dir=$(go mod download -json github.com/openreports/reports-api@v0.2.1 | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
	cp "$dir/config/crd/openreports.io_clusterreports.yaml" $work/reports.yaml
fi
# The chart is left out where this fails.
export GOBIN="$PWD/$work"
[ -x "$GOBIN/helm" ] || go install helm.sh/helm/v3/cmd/helm@v3.19.0 || true
export PATH="$GOBIN:$PATH"
# An image of the program, and one of a program that waits, for what holds a pod together.
rm -rf $work/image $work/pause
mkdir -p $work/image/usr/bin $work/image/tmp $work/pause/usr/bin
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $work/image/usr/bin/ringfence ./cmd/ringfence
printf 'package main\n\nimport "time"\n\nfunc main() { time.Sleep(1 << 62) }\n' >$work/pause/main.go
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $work/pause/usr/bin/ringfence $work/pause/main.go
rm $work/pause/main.go
tag=$(sed -n 's/.*image: localhost.ringfence://p' deploy/kubernetes/cronjob.yaml)
go run ./packaging image $work/image "$(go env GOARCH)" "$tag" 1700000000 $work/image.tar
go run ./packaging image $work/pause "$(go env GOARCH)" pause 1700000000 $work/pause.tar
RINGFENCE_CLUSTER=$PWD/$work go test -count=1 -timeout 20m -v -run 'TestFixBesideKubeProxy|TestCluster' ./e2e
