#!/bin/sh
# The fix beside a kube-proxy at work, in both of its modes. Builds kube-proxy in build/kube the first time, as a Go
# module with the parts of Kubernetes that its own go.mod takes from beside it: some minutes, most of it downloads.
set -eu
cd "$(dirname "$0")/.."
version=1.34.4
work=build/kube
if [ ! -x $work/kube-proxy ]; then
	rm -rf $work; mkdir -p $work
	(
		cd $work
		printf 'module kube\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n' $version >go.mod
		printf '//go:build tools\n\npackage kube\n\nimport _ "k8s.io/kubernetes/cmd/kube-proxy"\n' >tools.go
		dir=$(go mod download -json k8s.io/kubernetes@v$version | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
		for m in $(grep -o 'k8s.io/[a-z-]* => ./staging' "$dir/go.mod" | cut -d' ' -f1 | sort -u); do
			echo "replace $m => $m v0.${version#1.}"
		done >>go.mod
		go mod tidy -e >tidy.log 2>&1 || true
		CGO_ENABLED=0 go build -o kube-proxy k8s.io/kubernetes/cmd/kube-proxy
		rm tools.go
	)
fi
go test -count=1 -v -run TestFixBesideKubeProxy ./e2e
