//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Directories in which programs are that take their owner's uid, the names that most images have first.
var (
	setUIDPrograms = []string{
		"/usr/bin/sudo", "/bin/su", "/usr/bin/su", "/usr/bin/passwd", "/bin/mount", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/chsh", "/usr/bin/chfn",
		"/usr/bin/gpasswd", "/bin/bbsuid", "/usr/bin/doas", "/usr/bin/pkexec",
	}
	programDirs = []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin"}
)

// maxSetID bounds the programs of one mount namespace that are looked at, maxSetUIDLooks the mount namespaces.
const (
	maxSetID       = 6000
	maxSetUIDLooks = 200
)

// worthGaining are capabilities that make it matter whether a process can get its bounding set (capability.h).
const worthGaining = 1<<21 | 1<<16 | 1<<17 | 1<<12 | 1<<2 | 1<<19 // sys_admin, sys_module, sys_rawio, net_admin, dac_read_search, sys_ptrace

// findSetUID notes for processes of containers that are not root, and may have more than they have, a program by which they get it
// (execve(2), capabilities(7)).
func (s *Scan) findSetUID(list []snapshot.Process) {
	if !s.Host.Live() {
		return
	}
	found := map[uint64]string{}
	for i := range list {
		p := &list[i]
		if p.Container == "" || p.UID == 0 || p.NoNewPrivs || p.NS.User != s.initNS().User || snapshot.Caps(p.CapBnd)&^snapshot.Caps(p.CapEff)&worthGaining == 0 {
			continue
		}
		file, ok := found[p.NS.Mnt]
		if !ok && len(found) < maxSetUIDLooks {
			file, _ = patient(s, "container "+p.Container, func() (string, error) { return s.setUIDIn(p.PID), nil })
			found[p.NS.Mnt] = file
		}
		p.SetUID = file
	}
}

// setUIDIn is a program that runs as root whoever starts it, as a process sees its files; "" where none was found.
func (s *Scan) setUIDIn(pid int) string {
	b, err := s.Host.ReadFile("/proc/" + strconv.Itoa(pid) + "/mountinfo")
	if err != nil {
		return ""
	}
	mounts := parseMountinfo(b)
	is := func(file string) bool {
		st, err := s.Host.StatIn(pid, file)
		return err == nil && st.Mode.IsRegular() && st.UID == 0 && st.Perm&0o4001 == 0o4001 && !noSetUID(mounts, file)
	}
	for _, f := range setUIDPrograms {
		if is(f) {
			return f
		}
	}
	looked := 0
	for _, dir := range programDirs {
		names, err := s.Host.ReadDirIn(pid, dir)
		if err != nil {
			continue
		}
		for _, n := range names {
			if looked++; looked > maxSetID {
				return ""
			}
			if is(path.Join(dir, n)) {
				return path.Join(dir, n)
			}
		}
	}
	return ""
}

// noSetUID says of a file that the file system that it is in is mounted without such programs (mount(8), nosuid).
func noSetUID(mounts []mountEntry, file string) bool {
	best, options := "", ""
	for _, m := range mounts {
		if _, ok := within(m.point, file); ok && len(m.point) >= len(best) {
			best, options = m.point, m.options
		}
	}
	return strings.Contains(","+options+",", ",nosuid,")
}
