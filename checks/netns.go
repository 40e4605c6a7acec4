//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// foundNetns is a namespace and a file that leads to it.
type foundNetns struct {
	snapshot.Netns
	path string
	err  error // it could not be opened
}

// Bounds of what is looked at of one uid's.
const (
	maxHeld   = 20_000   // sockets that are asked for their namespace
	maxMounts = 16 << 20 // bytes of mountinfo
)

// netns finds the network namespaces: of processes, and those that are kept alive by something else: a file that one is
// mounted on, in whatever mount namespace, a descriptor, or a socket. Our own is first.
func (s *Scan) netns() []foundNetns {
	s.netnsOnce.Do(func() {
		f := &netnsFinder{s: s, index: map[uint64]int{}, mounts: map[int]int{}, nsfs: s.nsfs()}
		f.add(s.namespaces("thread-self").Net, "/proc/thread-self/ns/net") // the first thread can be left in one that was looked into
		f.list[0].Host = true
		procs, _ := s.processes()
		for _, p := range procs {
			if i := f.add(p.NS.Net, fmt.Sprintf("/proc/%d/ns/net", p.PID)); i >= 0 {
				f.list[i].Processes++
			}
		}
		f.mounted(procs)
		f.held(procs)
		f.owners()
		s.netnsList, s.netnsGaps, s.mountGaps = f.list, f.gaps, f.mountGaps
	})
	return s.netnsList
}

type netnsFinder struct {
	s     *Scan
	index map[uint64]int
	list  []foundNetns
	nsfs  uint64
	gaps  []string
	// mountGaps are about namespaces that nothing but a mount leads to: nothing listens there.
	mountGaps []string
	// mounts is how much mountinfo of a uid's namespaces was read, in bytes.
	mounts map[int]int
}

// add notes a namespace by its inode; path leads to it. It returns its place in the list, -1 for none.
func (f *netnsFinder) add(inode uint64, path string) int {
	if inode == 0 {
		return -1
	}
	i, ok := f.index[inode]
	if !ok {
		i = len(f.list)
		f.index[inode] = i
		f.list = append(f.list, foundNetns{Netns: snapshot.Netns{Inode: inode}, path: path})
	}
	return i
}

// keep notes a namespace that only a descriptor of ours leads to, which stays open.
func (f *netnsFinder) keep(file *os.File) int {
	inode, err := host.Inode(file)
	if err != nil {
		file.Close()
		return -1
	}
	if i, ok := f.index[inode]; ok {
		file.Close()
		return i
	}
	f.s.kept = append(f.s.kept, file)
	return f.add(inode, fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
}

// nsfs is the device number of the file system that namespaces are in.
func (s *Scan) nsfs() uint64 {
	st, err := s.Host.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return 0
	}
	return st.Dev
}

// mounted finds namespaces that files are mounted from, in every mount namespace.
func (f *netnsFinder) mounted(procs []*process) {
	seen := map[uint64]bool{}
	if own, err := f.s.Host.ReadFile("/proc/thread-self/mountinfo"); err == nil {
		seen[f.s.namespaces("thread-self").Mnt] = true
		f.addMounted(f.inMounts(own, f.s.Host.OpenNamespace))
	}
	for _, p := range procs {
		if p.NS.Mnt == 0 || seen[p.NS.Mnt] {
			continue
		}
		seen[p.NS.Mnt] = true
		if f.mounts[p.UID] > maxMounts {
			continue // said below
		}
		var found []mountedNetns
		size := 0
		err := f.s.Host.InMntns(p.PID, p.NS.Mnt, func(t *host.Tree) error {
			b, err := t.Mountinfo()
			if err == nil {
				found = f.inMounts(b, t.OpenNamespace)
			}
			size = len(b)
			return err
		})
		if p.UID != 0 {
			if f.mounts[p.UID] += size; f.mounts[p.UID] > maxMounts {
				f.mountGaps = append(f.mountGaps, fmt.Sprintf("uid %d has more mounts than are looked at for network namespaces", p.UID))
			}
		}
		if err == nil {
			f.addMounted(found)
		} else if !gone(err) && !denied(err) {
			f.mountGaps = append(f.mountGaps, fmt.Sprintf("namespaces mounted by %s: %v", f.s.placeName(p), err))
		}
	}
}

// mountedNetns is a namespace that a file is mounted from; file is nil if it is known already.
type mountedNetns struct {
	inode uint64
	at    string
	file  *os.File
	err   error
}

// inMounts lists the namespaces of a mountinfo and opens those that are not known.
func (f *netnsFinder) inMounts(mountinfo []byte, open func(string) (*os.File, error)) (list []mountedNetns) {
	for _, m := range parseMountinfo(mountinfo) {
		inode, ok := netnsLink(m.root)
		if m.fs != "nsfs" || m.dev != f.nsfs || !ok {
			continue
		}
		n := mountedNetns{inode: inode, at: m.point}
		if _, known := f.index[inode]; !known {
			n.file, n.err = open(m.point)
		}
		list = append(list, n)
	}
	return list
}

func (f *netnsFinder) addMounted(list []mountedNetns) {
	for _, n := range list {
		if n.err != nil {
			if !gone(n.err) {
				f.mountGaps = append(f.mountGaps, fmt.Sprintf("network namespace %d: %v", n.inode, n.err))
			}
			continue
		}
		i, known := f.index[n.inode]
		if n.file != nil {
			i, known = f.keep(n.file), true
		}
		if known && i >= 0 && len(f.list[i].Names) < 16 {
			f.list[i].Names = append(f.list[i].Names, n.at)
		}
	}
}

// netnsLink reads "net:[4026531840]".
func netnsLink(s string) (uint64, bool) {
	rest, ok := strings.CutPrefix(s, "net:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return inode, err == nil
}

// held finds namespaces by descriptors: of the namespace itself, and of a socket that was made in it and may have been
// handed on to a process elsewhere (SIOCGSKNS, pidfd_getfd(2)).
func (f *netnsFinder) held(procs []*process) {
	if !f.s.Host.Live() {
		return
	}
	f.s.socketOwners()
	asked, cut := map[int]int{}, map[int]bool{}
	for _, p := range procs {
		for _, n := range f.s.nsFDs[p.PID] {
			if file, err := f.s.Host.OpenNetns(fmt.Sprintf("/proc/%d/fd/%d", p.PID, n), 0); err == nil {
				f.keep(file)
			}
		}
		fds := f.s.sockFDs[p.PID]
		if left := maxHeld - asked[p.UID]; len(fds) > left {
			fds, cut[p.UID] = fds[:left], true
		}
		asked[p.UID] += len(fds)
		err := f.s.Host.SocketNamespaces(p.PID, fds, func(inode uint64) bool { _, known := f.index[inode]; return known },
			func(file *os.File) { f.keep(file) })
		if err != nil && !gone(err) && !denied(err) {
			f.gaps = append(f.gaps, fmt.Sprintf("namespaces of the sockets of %s: %v", f.s.placeName(p), err))
		}
	}
	for uid := range cut {
		f.gaps = append(f.gaps, fmt.Sprintf("uid %d holds more than %d sockets: the others were not asked for their namespace", uid, maxHeld))
	}
}

func (s *Scan) enter(ns foundNetns) (*os.File, error) {
	return s.Host.OpenNetns(ns.path, ns.Inode)
}
