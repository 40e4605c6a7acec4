//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// foundNetns is a namespace and a file that leads to it.
type foundNetns struct {
	snapshot.Netns
	path string
	err  error // it could not be opened
}

// Bounds of what is looked at of one party's.
const (
	maxHeld   = 20_000   // sockets that are asked for their namespace
	maxMounts = 16 << 20 // bytes of mountinfo
	maxKept   = 128      // namespaces that nothing but a descriptor of ours leads to
)

// maxTried is how many mounts of one namespace are tried, and how many that fail are told of one by one.
const maxTried = 8

// maxNamesOfNetns is how many places are noted at which one namespace is mounted.
const maxNamesOfNetns = 16

// keptOf is how many namespaces of a party are kept open at most: descriptors are few (RLIMIT_NOFILE).
func keptOf(whose string) int {
	if whose == uidParty(0) {
		return 4 * maxKept
	}
	return maxKept
}

// netns finds the network namespaces: of processes, and those that are kept alive by something else: a file that one is
// mounted on, in whatever mount namespace, a descriptor, or a socket. Our own is first.
func (s *Scan) netns() []foundNetns {
	s.netnsOnce.Do(func() {
		f := &netnsFinder{
			s: s, index: map[uint64]int{}, nsfs: s.nsfs(), said: map[string]bool{}, mounts: map[string]int{}, kept: map[string]int{},
		}
		f.addOwn()
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
	said      map[string]bool
	mounts    map[string]int // how much mountinfo of a party's namespaces was read, in bytes
	kept      map[string]int // how many of its namespaces would be kept open
}

// addOwn notes our own namespace. It stays open, so that a thread that went into another one finds it.
func (f *netnsFinder) addOwn() {
	own := f.s.namespaces("thread-self").Net
	path := "/proc/thread-self/ns/net" // the first thread can be left in one that was looked into
	if file, err := f.s.Host.OpenNetns(path, own); err == nil {
		f.s.kept = append(f.s.kept, file)
		path = fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	}
	f.add(own, path)
	f.list[0].Host = true
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

// keep notes a namespace of a party that only a descriptor of ours leads to, which stays open. Beyond the share of the party
// it is not noted, and the caller has to say so.
func (f *netnsFinder) keep(whose string, file *os.File) int {
	inode, err := host.Inode(file)
	if err != nil {
		file.Close()
		return -1
	}
	if i, ok := f.index[inode]; ok {
		file.Close()
		return i
	}
	if f.kept[whose]++; f.kept[whose] > keptOf(whose) {
		file.Close()
		return -1
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
	if own, err := f.s.ownMounts(); err == nil {
		seen[f.s.namespaces("thread-self").Mnt] = true
		f.addMounted(uidParty(0), inMounts(own, f.nsfs, f.known(), f.s.Host.OpenNamespace))
	}
	known := f.known()
	for _, p := range procs {
		if p.NS.Mnt == 0 || seen[p.NS.Mnt] {
			continue
		}
		seen[p.NS.Mnt] = true
		whose := f.s.lookedAt(p)
		if whose != uidParty(0) && f.mounts[whose] > maxMounts {
			f.mountGap("%s has more mounts than are looked at for network namespaces", whose)
			continue
		}
		type look struct {
			found []mountedNetns
			size  int
		}
		l, err := spending(&f.s.netnsTime, whose, func(limit time.Duration) (look, error) {
			return host.InMntns(f.s.Host, p.PID, p.NS.Mnt, limit, func(t *host.Tree) (look, error) {
				b, err := t.Mountinfo()
				if err != nil {
					return look{}, err
				}
				return look{inMounts(b, f.nsfs, known, t.OpenNamespace), len(b)}, nil
			})
		})
		f.mounts[whose] += l.size
		switch {
		case err == nil:
			f.addMounted(whose, l.found)
			if len(known) < len(f.index) {
				known = f.known() // a look that was given up still reads the one before
			}
		case errors.Is(err, errSpent), errors.Is(err, host.ErrSlow):
			f.mountGap("namespaces mounted by %s: %v", whose, err)
		case !gone(err) && !denied(err):
			f.mountGap("namespaces mounted by %s: %v", f.s.placeName(p), err)
		}
	}
}

// known are the namespaces that were found so far.
func (f *netnsFinder) known() map[uint64]bool {
	known := make(map[uint64]bool, len(f.index))
	for inode := range f.index {
		known[inode] = true
	}
	return known
}

// mountGap notes a gap once.
func (f *netnsFinder) mountGap(format string, args ...any) {
	gap := fmt.Sprintf(format, args...)
	if !f.said[gap] {
		f.said[gap] = true
		f.mountGaps = append(f.mountGaps, gap)
	}
}

// mountedNetns is a namespace that a file is mounted from; file is nil if it is known already.
type mountedNetns struct {
	inode uint64
	at    string
	file  *os.File
	err   error
}

// inMounts lists the namespaces of a mountinfo and opens those that are not known, each once.
func inMounts(mountinfo []byte, nsfs uint64, known map[uint64]bool, open func(string) (*os.File, error)) (list []mountedNetns) {
	opened, failed, named := map[uint64]bool{}, map[uint64]int{}, map[uint64]int{}
	for _, m := range parseMountinfo(mountinfo) {
		inode, ok := netnsLink(m.root)
		if m.fs != "nsfs" || m.dev != nsfs || !ok {
			continue
		}
		n := mountedNetns{inode: inode, at: m.point}
		if !known[inode] && !opened[inode] {
			if n.file, n.err = open(m.point); n.err == nil {
				opened[inode] = true
			} else if failed[inode]++; failed[inode] > maxTried && !errors.Is(n.err, host.ErrSlow) {
				continue // it was said
			}
		} else if named[inode]++; named[inode] > maxNamesOfNetns {
			continue
		}
		list = append(list, n)
		if errors.Is(n.err, host.ErrSlow) {
			break
		}
	}
	return list
}

func (f *netnsFinder) addMounted(whose string, list []mountedNetns) {
	failed := 0
	for _, n := range list {
		switch {
		case n.err == nil || gone(n.err):
		case errors.Is(n.err, host.ErrSlow):
			f.mountGap("namespaces mounted by %s: %v", whose, host.ErrSlow)
		default:
			if failed++; failed <= maxTried {
				f.mountGap("network namespace %d, mounted by %s: %v", n.inode, whose, cause(n.err))
			} else {
				f.mountGap("namespaces mounted by %s: more of them could not be opened", whose)
			}
		}
		if n.err != nil {
			continue
		}
		i, known := f.index[n.inode]
		if n.file != nil {
			i, known = f.keep(whose, n.file), true
		}
		if known && i >= 0 && len(f.list[i].Names) < maxNamesOfNetns {
			f.list[i].Names = append(f.list[i].Names, n.at)
		}
	}
	if f.kept[whose] > keptOf(whose) {
		f.mountGap("%s keeps more than %d network namespaces without a process: the others were not looked at", whose, keptOf(whose))
	}
}

// cause is an error without the path, which a user chose.
func cause(err error) error {
	if in, ok := errors.AsType[*fs.PathError](err); ok {
		return in.Err
	}
	return err
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
	asked, cut, over := map[string]int{}, map[string]bool{}, map[string]bool{}
	for _, p := range procs {
		whose := f.s.lookedAt(p)
		keep := func(file *os.File) {
			f.keep(whose, file)
			over[whose] = f.kept[whose] > keptOf(whose)
		}
		for _, n := range f.s.nsFDs[p.PID] {
			if file, err := f.s.Host.OpenNetns(fmt.Sprintf("/proc/%d/fd/%d", p.PID, n), 0); err == nil {
				keep(file)
			} else if !gone(err) && !denied(err) && !errors.Is(err, host.ErrNotRegular) { // the descriptor is of another file now
				f.gaps = append(f.gaps, fmt.Sprintf("namespaces that %s holds: %v", f.s.placeName(p), err))
			}
		}
		fds := f.s.sockFDs[p.PID]
		if left := maxHeld - asked[whose]; len(fds) > left {
			fds, cut[whose] = fds[:left], true
		}
		asked[whose] += len(fds)
		err := f.s.Host.SocketNamespaces(p.PID, fds, func(inode uint64) bool { _, known := f.index[inode]; return known }, keep)
		if err != nil && !gone(err) && !denied(err) {
			f.gaps = append(f.gaps, fmt.Sprintf("namespaces of the sockets of %s: %v", f.s.placeName(p), err))
		}
	}
	for _, whose := range sortedKeys(cut) {
		f.gaps = append(f.gaps, fmt.Sprintf("%s holds more than %d sockets: the others were not asked for their namespace", whose, maxHeld))
	}
	for whose, is := range over {
		if is {
			f.gaps = append(f.gaps, fmt.Sprintf("%s holds more than %d network namespaces without a process", whose, keptOf(whose)))
		}
	}
}

func (s *Scan) enter(ns *foundNetns) (*os.File, error) {
	return s.Host.OpenNetns(ns.path, ns.Inode)
}

// goInto has a thread of Visit go into a namespace. It begins in our own, which is the first of all.
func (s *Scan) goInto(ns *foundNetns, enter func(*os.File) error) error {
	if ns.Host {
		return nil
	}
	f, err := s.enter(ns)
	if err != nil {
		return err
	}
	defer f.Close()
	return enter(f)
}
