//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// packagedDirs are where programs and libraries of packages are, of which each file is looked at: depth is how many levels below.
var packagedDirs = []struct {
	dir   string
	depth int
}{
	{"/usr/bin", 0},
	{"/usr/sbin", 0},
	{"/bin", 0},
	{"/sbin", 0},
	{"/usr/lib", 0},
	{"/usr/lib64", 0},
	{"/lib", 0},
	{"/lib64", 0},
	{"/usr/lib/x86_64-linux-gnu", 0},
	{"/usr/lib/aarch64-linux-gnu", 0},
	{"/usr/libexec", 1},
	{"/usr/lib/systemd", 0},
	{"/usr/lib/udev", 0},
	{"/usr/lib/openssh", 0},
	{"/usr/lib/git-core", 0},
	{"/usr/lib/apt", 2},
	{"/usr/lib/modules", 0},
	{"/usr/share", 0},
	{"/usr/share/bash-completion/completions", 0},
	{"/usr/local/lib", 1},
	{"/usr/local/libexec", 1},
	{"/usr/local/share", 1},
	{"/usr/local/share/bash-completion/completions", 0},
	{"/var/lib/dpkg", 1},
	{"/var/lib/rpm", 0},
}

// everydayNames are programs that root runs on every host.
var everydayNames = strings.Fields("bash cat chmod chown cp dash date df echo env find grep id ip ln login ls mkdir modprobe mount mv nft ps rm sed sh sleep ssh sudo su systemctl tar touch umount uname")

// packaged adds the programs and the libraries of packages that others than root own or may write.
func (l *levers) packaged() {
	seen := map[gainFile]bool{}
	for _, d := range packagedDirs {
		l.packagedIn(d.dir, d.depth, seen)
	}
}

func (l *levers) packagedIn(dir string, depth int, seen map[gainFile]bool) {
	d, err := l.s.Host.OpenList(dir)
	if err != nil {
		if denied(err) {
			l.out.partialIn("files", "%s: %v", dir, err)
		}
		return
	}
	defer d.Close()
	st, err := d.Stat(".")
	if k := (gainFile{st.Dev, st.Ino}); err != nil || seen[k] {
		return
	} else {
		seen[k] = true
	}
	names, err := d.Names()
	if err != nil {
		l.out.partialIn("files", "%s: %v", dir, err)
		return
	}
	for _, n := range names {
		st, err := d.Lstat(n)
		if err != nil {
			continue
		}
		if st.IsDir && depth > 0 {
			l.packagedIn(path.Join(dir, n), depth-1, seen)
		}
		l.packagedFile(path.Join(dir, n), st)
	}
}

// packagedFile adds a file or a directory of packages if others than root own it or may write it; an access control list that lets them shows in
// the bits of the group (acl(5)).
func (l *levers) packagedFile(p string, st host.Stat) {
	if !st.IsDir && !st.Mode.IsRegular() || st.UID == 0 && st.Perm&0o022 == 0 || l.sure[p] {
		return
	}
	f := snapshot.LeverFile{Path: p, Kind: snapshot.LeverProgram, By: "who starts it", Trigger: snapshot.TriggerOperator, Unsure: "whether root runs or reads " + p + " was not followed"}
	if st.IsDir {
		f.Kind = snapshot.LeverSearch
	} else if strings.HasSuffix(path.Dir(p), "bin") && slices.Contains(everydayNames, path.Base(p)) {
		f.Unsure = ""
	}
	l.add(f)
}
