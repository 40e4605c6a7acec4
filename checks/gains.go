//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// gainDirs are where programs are that change who runs them, as packages install them; depth is how many levels below are looked at.
var gainDirs = []struct {
	dir   string
	depth int
}{
	{"/usr/bin", 0},
	{"/usr/sbin", 0},
	{"/bin", 0},
	{"/sbin", 0},
	{"/usr/local/bin", 0},
	{"/usr/local/sbin", 0},
	{"/usr/games", 0},
	{"/opt", 2},
	{"/run/wrappers/bin", 0}, // of NixOS
	{"/usr/libexec", 1},
	{"/usr/lib/openssh", 0},
	{"/usr/lib/dbus-1.0", 0},
	{"/usr/lib/policykit-1", 0},
	{"/usr/lib/polkit-1", 0},
	{"/usr/lib/snapd", 0},
	{"/usr/lib/xorg", 0},
	{"/usr/lib/eject", 0},
	{"/usr/lib/virtualbox", 0},
	{"/usr/lib/vmware", 1},
	{"/usr/lib/postfix", 1},
	{"/usr/lib/ssl", 1},
	{"/usr/lib/spice-gtk", 0},
	{"/usr/lib/chromium", 0},
	{"/usr/lib/electron", 0},
	{"/usr/lib/uml", 0},
	{"/usr/lib/pt_chown", 0},
}

// gainPrograms lists the programs that have other powers than who runs them, and says how far they were looked for.
func (l *levers) gainPrograms() ([]snapshot.GainProgram, string) {
	f := &gainFinder{l: l, seen: map[gainFile]bool{}}
	for _, g := range gainDirs {
		f.look(g.dir, g.depth, 0)
	}
	how := snapshot.SearchedPath
	if l.s.deep {
		how = snapshot.SearchedAll
		f.everywhere()
	}
	if l.ctx.Err() != nil || len(f.list) == maxGains || f.cut {
		l.out.partialIn("programs", "not all programs were looked at")
	}
	return f.list, how
}

// gainFinder looks for programs with other powers.
type gainFinder struct {
	l    *levers
	list []snapshot.GainProgram
	seen map[gainFile]bool
	cut  bool // not every directory could be looked at
}

// gainFile tells files apart.
type gainFile struct{ dev, ino uint64 }

// maxDepth bounds the directories in one another.
const maxDepth = 128

// look goes through a directory, and those in it on the same device, or on any if that is 0.
func (f *gainFinder) look(dir string, depth int, dev uint64) {
	d, err := f.l.s.Host.OpenList(dir)
	if err != nil {
		if !gone(err) && !errors.Is(err, unix.ENOTDIR) {
			f.l.out.partialIn("programs", "%s: %v", dir, err)
		}
		return
	}
	defer d.Close()
	names, err := d.Names()
	if err != nil {
		f.l.out.partialIn("programs", "%s: %v", dir, err)
		return
	}
	for _, n := range names {
		st, err := d.Lstat(n)
		if err == nil && dev != 0 && ofPackages.MatchString(dir) {
			f.l.packagedFile(path.Join(dir, n), st)
		}
		switch {
		case err != nil || f.l.ctx.Err() != nil:
		case st.IsDir && (dev == 0 || st.Dev == dev):
			if depth > 0 {
				f.look(path.Join(dir, n), depth-1, dev)
			} else if dev != 0 {
				f.cut = true
			}
		case st.Mode.IsRegular() && st.Perm&0o111 != 0:
			f.file(path.Join(dir, n), st)
		}
	}
}

// ofPackages are the directories of packages.
var ofPackages = lazily(`^/(?:usr|bin|sbin|lib[0-9]*|boot)(?:/|$)`)

func (f *gainFinder) file(p string, st host.Stat) {
	k := gainFile{st.Dev, st.Ino}
	if f.seen[k] {
		return
	}
	f.seen[k] = true
	if g, ok := f.l.gain(p, st); ok && len(f.list) < maxGains {
		f.l.gainLoads(&g)
		f.list = append(f.list, g)
	}
}

// elsewhere are file systems on which no program of the host has other powers than its user: those of the kernel, and those of others, which
// are looked at in no case (a server of their own answers).
var elsewhere = []string{
	"proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf", "pstore", "mqueue", "hugetlbfs", "configfs", "fusectl", "autofs",
	"binfmt_misc", "efivarfs", "nsfs", "rpc_pipefs", "selinuxfs",
}

// everywhere goes through every file system of the host that can have such programs.
func (f *gainFinder) everywhere() {
	if len(f.l.w.mounts) == 0 {
		f.cut = true
		return
	}
	for i := range f.l.w.mounts {
		m := &f.l.w.mounts[i]
		if slices.Contains(elsewhere, m.fs) || noSetUID(f.l.w.mounts, m.point) {
			continue
		}
		if strings.HasPrefix(m.fs, "fuse") || strings.HasPrefix(m.fs, "nfs") || m.fs == "cifs" || m.fs == "9p" || m.fs == "ceph" {
			f.l.out.partialIn("programs", "%s is of type %s, and was not looked at", m.point, m.fs)
			continue
		}
		if st, err := f.l.s.Host.Stat(m.point); err == nil && st.IsDir {
			f.look(m.point, maxDepth, st.Dev)
		}
	}
}

// maxGains bounds the programs that are listed.
const maxGains = 10_000

// gain is what a program gives who runs it.
func (l *levers) gain(p string, st host.Stat) (snapshot.GainProgram, bool) {
	g := snapshot.GainProgram{Path: p, Mode: st.Perm & 0o777, UID: st.UID, GID: st.GID}
	if st.Perm&0o4000 != 0 {
		g.SetUID = &st.UID
	}
	if st.Perm&0o2010 == 0o2010 {
		g.SetGID = &st.GID
	}
	caps, inherits, err := l.s.Host.FileCaps(p)
	if err != nil {
		l.out.partialIn("programs", "capabilities of %s: %v", p, err)
	}
	if caps != 0 {
		g.Caps = fmt.Sprintf("%016x", caps)
	}
	if inherits != 0 {
		g.Inherits = fmt.Sprintf("%016x", inherits)
	}
	if g.SetUID == nil && g.SetGID == nil && g.Caps == "" && g.Inherits == "" || noSetUID(l.w.mounts, p) {
		return g, false
	}
	if g.Gates, err = l.w.gates([]snapshot.Permit{{Who: snapshot.PermitAll, At: path.Dir(p)}}); err != nil {
		l.out.partialIn("programs", "the way to %s: %v", p, err)
	}
	return g, true
}
