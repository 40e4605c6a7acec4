#!/bin/sh
# release.sh VERSION "PROCESSORS" DIR: for each processor a tarball of the program, packages, an image and an SBOM (packaging/packages.sh), and
# SHA256SUMS. The same commit gives the same bytes: no path, time, user or order of this machine is in them.
set -eu
umask 022
version=$1 processors=$2 out=$3
[ -z "$(git status --porcelain)" ] || { echo "release: the work tree has changes that no commit has" >&2; exit 1; }
when=$(git log -1 --format=%ct)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
version_flag="-X github.com/ringfence/ringfence/version.release=$version"
CGO_ENABLED=0 go build -trimpath -buildvcs=true -ldflags "$version_flag" -o "$stage/own" ./cmd/ringfence
"$stage/own" manual "$stage/man8"
for shell in bash zsh fish; do "$stage/own" completion "$shell" >"$stage/completion.$shell"; done
for cpu in $processors; do
	name=ringfence-$version-linux-$cpu
	mkdir -p "$stage/$name/man/man8" "$stage/$name/completion"
	cp "$stage"/man8/*.8 "$stage/$name/man/man8/"
	for shell in bash zsh fish; do cp "$stage/completion.$shell" "$stage/$name/completion/ringfence.$shell"; done
	CGO_ENABLED=0 GOOS=linux GOARCH=$cpu go build -trimpath -buildvcs=true \
		-ldflags "-s -w $version_flag" -o "$stage/$name/ringfence" ./cmd/ringfence
	cp README.md CHANGELOG.md SECURITY.md LICENSE NOTICE "$stage/$name/"
	chmod 755 "$stage/$name/ringfence"
	tar --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$when" --mode=go-w -C "$stage" -cf - "$name" |
		gzip -n -9 >"$out/$name.tar.gz"
	sh packaging/packages.sh "$version" "$cpu" "$stage/$name" "$out"
done
cd "$out" && sha256sum ./* | sed 's, \./, ,' >"$stage/sums" && mv "$stage/sums" SHA256SUMS
