#!/bin/sh
# packages.sh VERSION PROCESSOR FILES DIR: packages (deb, rpm, apk), an image of containers and the list of what is inside, of the files of a
# release tarball. Called by release.sh; the same files give the same bytes.
set -eu
umask 022
VERSION=$1 CPU=$2 files=$3 out=$4
NFPM=${NFPM:-github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0}
epoch=$(git log -1 --format=%ct)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TREE=$work/tree
doc=$TREE/usr/share/doc/ringfence
mkdir -p "$TREE/usr/bin" "$TREE/usr/lib/systemd/system" "$doc"
install -m 755 "$files/ringfence" "$TREE/usr/bin/ringfence"
install -m 644 deploy/systemd/* "$TREE/usr/lib/systemd/system/"
install -m 644 "$files"/*.md "$files/NOTICE" "$doc/"
install -m 644 "$files/LICENSE" "$doc/copyright"
put() { # put FILE PLACE, where there is such a file, packed if it is a page of the manual
	[ -e "$1" ] || return 0
	mkdir -p "$TREE/$(dirname "$2")"
	case $2 in *.gz) gzip -n -9 <"$1" >"$TREE/$2" ;; *) install -m 644 "$1" "$TREE/$2" ;; esac
}
for page in "$files"/man/man8/*.8; do put "$page" "usr/share/man/man8/$(basename "$page").gz"; done
put "$files/completion/ringfence.bash" usr/share/bash-completion/completions/ringfence
put "$files/completion/ringfence.zsh" usr/share/zsh/vendor-completions/_ringfence
put "$files/completion/ringfence.fish" usr/share/fish/vendor_completions.d/ringfence.fish
mkdir "$work/scripts"
cp packaging/postinstall.sh packaging/preremove.sh packaging/postremove.sh "$work/scripts/"
sed "s,@TREE@,$TREE,; s,@SCRIPTS@,$work/scripts,; s,@CPU@,$CPU,; s,@VERSION@,$VERSION," packaging/nfpm.yaml >"$work/nfpm.yaml"
find "$TREE" "$work/scripts" -exec touch -h -d "@$epoch" {} +
export SOURCE_DATE_EPOCH="$epoch"
for kind in deb rpm apk; do
	go run "$NFPM" package --config "$work/nfpm.yaml" --packager "$kind" --target "$out/" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
done
image=$work/image
mkdir -p "$image/usr/bin" "$image/usr/share/doc/ringfence" "$image/tmp"
cp "$TREE/usr/bin/ringfence" "$image/usr/bin/"
cp "$doc/copyright" "$doc/NOTICE" "$image/usr/share/doc/ringfence/"
go run ./packaging image "$image" "$CPU" "$VERSION" "$epoch" "$out/ringfence-$VERSION-linux-$CPU.oci.tar"
go run ./packaging sbom "$TREE/usr/bin/ringfence" "$VERSION" "$epoch" "$out/ringfence-$VERSION-linux-$CPU.cdx.json"
