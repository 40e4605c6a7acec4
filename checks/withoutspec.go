//go:build linux && !ringfence_portable

package checks

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// firstOf is the process that a container began with, of which the others come: it was not started by one of them.
func firstOf(list []*process, byPID map[int]*process) *process {
	for _, p := range list {
		if q := byPID[p.PPID]; q == nil || q.Container != p.Container {
			return p
		}
	}
	return list[0]
}

// withoutSpec is a container of which no specification was found: LXC has none, others keep theirs elsewhere, and a uid names cgroups of
// its own as it likes. Its processes show what it is: it is no more confined than the least confined of them, since each can confine itself.
func (s *Scan) withoutSpec(id string, p *process, all []*process) *snapshot.Container {
	each := func(holds func(*process) bool) bool {
		return !slices.ContainsFunc(all, func(p *process) bool { return !holds(p) })
	}
	init := s.initNS().User
	c := &snapshot.Container{
		ID: id, Runtime: p.Runtime, Word: p.ContainerWord, PID: p.PID, Running: true, Unread: "no specification was found", UID: p.UID, AppArmor: p.LSM,
		UserNS:     each(func(p *process) bool { return p.NS.User != init }),
		NoNewPrivs: each(func(p *process) bool { return p.NoNewPrivs }),
		Seccomp:    each(func(p *process) bool { return p.Seccomp == 2 }),
	}
	if !strings.ContainsAny(id, ":") && len(id) < 64 {
		c.Name = id
	}
	c.Devices, _ = patient(s, s.party(p), func() ([]string, error) { return s.deviceFiles(p.PID), nil })
	return c
}

// maxDeviceNames bounds the device files of a container that are looked at in one directory.
const maxDeviceNames = 512

// deviceFiles are the files of devices that give the host away, as a process sees them.
func (s *Scan) deviceFiles(pid int) (list []string) {
	for _, dir := range []string{"/dev", "/dev/net", "/dev/mapper", "/dev/dri", "/dev/vfio", "/dev/cpu"} {
		names, err := s.Host.ReadDirIn(pid, dir)
		if err != nil {
			continue
		}
		names = slices.DeleteFunc(names, func(n string) bool { return !sensitiveDevice(path.Join(dir, n)) })
		for _, n := range names[:min(len(names), maxDeviceNames)] {
			at := path.Join(dir, n)
			if st, err := s.Host.StatIn(pid, at); err == nil && st.Mode&fs.ModeDevice != 0 {
				list = append(list, at)
			}
		}
	}
	return list
}
