//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
)

// socketOwners maps socket inodes to the processes that hold them. The second result counts the
// processes whose descriptors we were refused.
func (s *Scan) socketOwners() (map[uint64][]int, int) {
	s.sockets.Do(func() {
		s.inodes, s.fds = map[uint64][]int{}, map[uint64]string{}
		s.nsFDs, s.sockFDs = map[int][]int{}, map[int][]int{}
		s.devices, s.tunnels, s.cutFDs = map[int][]string{}, map[int][]string{}, map[int]bool{}
		procs, _ := s.processes()
		looked, clock := newShares(maxFDsOfParty), newClock()
		for _, p := range s.hostFirst(procs) {
			s.readFDs(p, looked, clock)
		}
		for _, pids := range s.inodes {
			slices.Sort(pids)
		}
	})
	return s.inodes, s.fdErr
}

// Bounds of the descriptors that are looked at: of one process, and of all processes of a party.
const (
	maxFDs        = 64 << 10
	maxFDsOfParty = 512 << 10
)

func (s *Scan) readFDs(p *process, looked *shares, clock *clock) {
	path := "/proc/" + strconv.Itoa(p.PID)
	dir, err := s.Host.OpenDir(path)
	if err != nil {
		if !gone(err) {
			s.fdErr++
			s.cutFDs[p.PID] = true
		}
		return
	}
	defer dir.Close()
	party := s.party(p)
	limit, start := min(maxFDs, looked.left(party)), time.Now()
	if !clock.has(party) {
		limit = 0
	}
	links, refused, err := dir.Links("fd", limit)
	looked.take(party, len(links))
	clock.charge(party, start)
	if refused || err != nil && !gone(err) {
		s.fdErr++
		s.cutFDs[p.PID] = true
	}
	for n, link := range links {
		if rest, ok := strings.CutPrefix(link, "socket:["); ok {
			ino, _ := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
			if len(s.inodes[ino]) == 0 {
				s.sockFDs[p.PID] = append(s.sockFDs[p.PID], atoi(n))
			}
			if l := s.inodes[ino]; len(l) == 0 || l[len(l)-1] != p.PID {
				s.inodes[ino] = append(l, p.PID)
				s.fds[ino] = path + "/fd/" + n
			}
		} else if _, ok := netnsLink(link); ok {
			s.nsFDs[p.PID] = append(s.nsFDs[p.PID], atoi(n))
		} else if sensitiveDevice(link) {
			if link == tunDevice {
				s.readTunnel(p.PID, dir, n)
			}
			if p.Container != "" {
				s.devices[p.PID] = append(s.devices[p.PID], link)
			}
		}
	}
}

// tunDevice is the device by which programs are the other end of an interface.
const tunDevice = "/dev/net/tun"

// maxTunnels bounds how many of a process are kept, tunnelText how much is read of one.
const (
	maxTunnels = 64
	tunnelText = 512
)

// readTunnel adds the interface whose other end a descriptor is (tun_chr_show_fdinfo of drivers/net/tun.c).
func (s *Scan) readTunnel(pid int, dir *host.Dir, fd string) {
	if len(s.tunnels[pid]) >= maxTunnels {
		return
	}
	b, _, err := dir.ReadPart("fdinfo/"+fd, tunnelText)
	if err != nil {
		return
	}
	if name := tunnelName(b); name != "" && !slices.Contains(s.tunnels[pid], name) {
		s.tunnels[pid] = append(s.tunnels[pid], name)
	}
}

// tunnelName is the interface that what the kernel says of a descriptor names, "" where it is not attached to one.
func tunnelName(fdinfo []byte) string {
	for line := range strings.Lines(string(fdinfo)) {
		if name, ok := strings.CutPrefix(line, "iff:\t"); ok {
			return strings.TrimSuffix(name, "\n")
		}
	}
	return ""
}

// tunnelsOf are the interfaces whose other end a process is.
func (s *Scan) tunnelsOf(pid int) []string {
	s.socketOwners()
	names := slices.Clone(s.tunnels[pid])
	slices.Sort(names)
	return names
}
