//go:build linux && !ringfence_portable

package checks

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// Places of programs of a cgroup (enum bpf_attach_type).
const (
	cgroupIngress = 0
	cgroupEgress  = 1
)

// steering are those that are asked where a socket sends to, or whether it may be there at all: INET_SOCK_CREATE, INET4_CONNECT, INET6_CONNECT,
// UDP4_SENDMSG and UDP6_SENDMSG.
var steering = []uint32{2, 10, 11, 14, 15}

const (
	// untoldPrograms stands for programs of a cgroup that we may not ask for.
	untoldPrograms = "those of which the kernel does not tell"
	// gonePrograms stands for those of a cgroup that is removed: what was on it stays with its sockets (cgroup_bpf_get).
	gonePrograms = "those of a cgroup that is gone"
	bpfCgroupSKB = 8  // BPF_PROG_TYPE_CGROUP_SKB
	maxAbove     = 64 // cgroups that one is in
	rootCgroup   = 1  // the inode of the root
)

// cgroupPrograms finds the programs that see what the sockets of a cgroup get and send.
type cgroupPrograms struct {
	s       *Scan
	mount   *host.Dir // the unified hierarchy; nil where there is none
	point   string    // where it is mounted
	known   map[uint64]*cgroupSeen
	filters map[uint32]snapshot.CgroupProgram // of cgroup_skb, by their ids
	lost    bool                              // whether there is one, or what is in it, cannot be told
	gone    func() []string
}

// cgroupSeen is what is known of a cgroup, and what stands for what is not told.
type cgroupSeen struct {
	snapshot.Cgroup
	untold []string
}

func (s *Scan) cgroupPrograms() *cgroupPrograms {
	c := &cgroupPrograms{s: s, known: map[uint64]*cgroupSeen{}, filters: map[uint32]snapshot.CgroupProgram{}}
	c.gone = sync.OnceValue(programsOfGone)
	b, err := s.Host.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		c.lost = true
		return c
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" { // another mount can hide it
			c.mount, err = s.Host.OpenList(f[1])
			if c.point, c.lost = f[1], err != nil; err == nil {
				break
			}
		}
	}
	return c
}

func (c *cgroupPrograms) close() {
	if c.mount != nil {
		c.mount.Close()
	}
}

// of are the effective programs of a cgroup of which no more than the name is known. The kernel knows it by its inode (INET_DIAG_CGROUP_ID).
func (c *cgroupPrograms) of(id uint64) []string {
	switch {
	case id == 0:
		return nil
	case c.lost:
		return []string{untoldPrograms}
	case c.mount == nil:
		return nil
	}
	g := c.known[id]
	if g == nil {
		g = c.look(id)
		c.known[id] = g
	}
	names := slices.Clone(g.untold)
	for _, name := range append(snapshot.UnknownPrograms(g.Gets), snapshot.UnknownPrograms(g.Sends)...) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// look asks for the programs of a cgroup, and where it is.
func (c *cgroupPrograms) look(id uint64) *cgroupSeen {
	g := &cgroupSeen{Cgroup: snapshot.Cgroup{ID: id}}
	const kernfs = 0xfe // FILEID_KERNFS, include/linux/exportfs.h
	fd, err := c.mount.OpenHandle(kernfs, binary.NativeEndian.AppendUint64(nil, id))
	if err != nil {
		g.untold = c.refused(err)
		return g
	}
	defer unix.Close(fd)
	g.Above = host.Above(fd, rootCgroup, maxAbove)
	if at, err := c.s.Host.Readlink("/proc/thread-self/fd/" + strconv.Itoa(fd)); err == nil && g.Above != nil {
		if rest, ok := within(c.point, at); ok {
			g.Path = "/" + strings.TrimPrefix(rest, "/")
		}
	}
	for place, list := range map[uint32]*[]snapshot.CgroupProgram{cgroupIngress: &g.Gets, cgroupEgress: &g.Sends} {
		ids, err := programIDs(uint32(fd), place, bpfEffective)
		if err != nil {
			g.untold = c.refused(err)
			return g
		}
		for _, prog := range ids {
			*list = append(*list, c.filter(prog, place))
		}
	}
	for _, place := range steering {
		names, err := programsAt(uint32(fd), place, bpfEffective)
		if err != nil {
			names = c.refused(err)
		}
		g.Steers = append(g.Steers, names...)
	}
	slices.Sort(g.Steers)
	g.Steers = slices.Compact(g.Steers)
	return g
}

// filter is one program, and what it goes by if that is known.
func (c *cgroupPrograms) filter(prog, place uint32) snapshot.CgroupProgram {
	f, ok := c.filters[prog]
	if !ok {
		f = snapshot.CgroupProgram{Name: programName(prog), ID: prog, Tag: tagOf(prog), Addresses: addressFilter(prog, place == cgroupIngress)}
		c.filters[prog] = f
	}
	return f
}

// refused stands for programs that we may not ask for, or that went with their cgroup.
func (c *cgroupPrograms) refused(err error) []string {
	if denied(err) {
		return []string{untoldPrograms}
	}
	return c.gone()
}

// programsOfGone says whether a socket can still have programs of a cgroup that is gone: there have to be any.
func programsOfGone() []string {
	ne := binary.NativeEndian
	for id, n := uint32(0), 0; n < maxBPFPrograms; n++ {
		var attr [64]byte
		ne.PutUint32(attr[:], id)
		switch _, err := bpf(bpfProgNextID, &attr); {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			return nil
		case err != nil:
			return []string{gonePrograms}
		}
		id = ne.Uint32(attr[4:])
		if info, _, err := programInfo(id); err == nil && ne.Uint32(info) == bpfCgroupSKB || err != nil && !errors.Is(err, unix.ENOENT) {
			return []string{gonePrograms}
		}
	}
	return []string{gonePrograms}
}

// at finds the cgroup of a process by its path.
func (c *cgroupPrograms) at(path string) {
	if c.mount == nil || c.lost || path == "" || slices.Contains(split(path), "..") {
		return
	}
	name := strings.TrimPrefix(path, "/")
	if name == "" {
		name = "."
	}
	st, err := c.mount.Stat(name)
	if err != nil {
		return
	}
	c.of(st.Ino)
	if g := c.known[st.Ino]; g != nil {
		g.Path = path
	}
}

// all are the cgroups that were looked at and are there, by their ids.
func (c *cgroupPrograms) all() (list []snapshot.Cgroup) {
	for _, id := range slices.Sorted(maps.Keys(c.known)) {
		g := c.known[id]
		if len(g.untold) > 0 { // whatever else it has, these decide too
			unknown := snapshot.CgroupProgram{Name: g.untold[0]}
			g.Gets, g.Sends = append(g.Gets, unknown), append(g.Sends, unknown)
		}
		list = append(list, g.Cgroup)
	}
	return list
}
