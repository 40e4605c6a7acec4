//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// Bounds of the threads that are looked at.
const (
	maxThreads    = 4096    // of one process
	maxOddThreads = 64      // of one process, that differ from each other
	maxThreadsOf  = 100_000 // of all processes of one party
)

// readProcess reads a process: its first thread, and each further one that has other powers, files or places. A thread has a
// uid, capabilities, namespaces, a table of descriptors and a root of its own, and the first one can have ended while
// others go on (clone(2), unshare(2)). Such a thread is listed by its own number, which no process has.
func (s *Scan) readProcess(pid int) []*process {
	start := time.Now()
	first, threads := s.readTask(pid)
	if threads <= 1 {
		if first == nil {
			return nil
		}
		return []*process{first}
	}
	names, err := s.Host.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if first == nil && err != nil {
		return nil
	}
	var list []*process
	if first != nil {
		list = append(list, first)
	}
	cut := err != nil && !gone(err) || len(names) > maxThreads
	for _, n := range names[:min(len(names), maxThreads)] {
		tid, err := strconv.Atoi(n)
		if err != nil || tid == pid {
			continue
		}
		if first != nil {
			if time.Since(start) > partyTime && !ofHost(s.party(first)) {
				cut = true
				break
			}
			party := s.party(first)
			if s.threadsOf[party]++; s.threadsOf[party] > maxThreadsOf && !ofHost(party) || len(list) > maxOddThreads {
				cut = true
				break
			}
		}
		if slices.ContainsFunc(list, func(p *process) bool { return s.likeThread(p, tid) }) {
			continue
		}
		t, _ := s.readTask(tid)
		if t == nil {
			continue
		}
		if first == nil {
			first = t // the first thread has ended: this one stands for the process
		} else {
			t.Leader = first.PID
		}
		list = append(list, t)
	}
	if cut && first != nil {
		first.Unread = append(first.Unread, "threads")
	}
	return list
}

// likeThread says of a thread of the same process that it is no different from one that was read. One that has gone is not.
func (s *Scan) likeThread(p *process, tid int) bool {
	dir, err := s.Host.OpenDir(fmt.Sprintf("/proc/%d", tid))
	if err != nil {
		return gone(err)
	}
	defer dir.Close()
	status, err := dir.ReadFile("status")
	if err != nil || ended(status) {
		return err == nil || gone(err)
	}
	t := parseStatus(status)
	return t.UID == p.UID && t.GID == p.GID && slices.Equal(t.Groups, p.Groups) && t.CapInh == p.CapInh && t.CapPrm == p.CapPrm &&
		t.CapEff == p.CapEff && t.CapBnd == p.CapBnd && t.CapAmb == p.CapAmb && t.NoNewPrivs == p.NoNewPrivs && t.Seccomp == p.Seccomp &&
		readNamespaces(dir.Readlink) == p.NS && s.sharesFiles(p.PID, tid, dir) && s.sharesRoot(p.PID, tid)
}

// The kinds of kcmp(2) (include/uapi/linux/kcmp.h).
const (
	kcmpFiles = 2
	kcmpFS    = 3
)

// compare is kcmp(2): whether two threads have the same table of descriptors, or root and directory.
func compare(a, b, kind int) (same bool, err error) {
	r, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), uintptr(kind), 0, 0, 0)
	if errno != 0 {
		return false, errno
	}
	return r == 0, nil
}

func (s *Scan) sharesFiles(a, b int, dir *host.Dir) bool {
	if !s.Host.Live() {
		return true
	}
	same, err := compare(a, b, kcmpFiles)
	switch {
	case err == nil:
		return same
	case denied(err) || gone(err): // then its descriptors are refused too, which is said there
		return true
	}
	// A kernel without kcmp(2): the tables are compared by what is in them.
	other, err := s.Host.OpenDir(fmt.Sprintf("/proc/%d", a))
	if err != nil {
		return gone(err)
	}
	defer other.Close()
	x, _, xerr := other.Links("fd", maxFDs)
	y, _, yerr := dir.Links("fd", maxFDs)
	return errors.Join(xerr, yerr) != nil || maps.Equal(x, y)
}

func (s *Scan) sharesRoot(a, b int) bool {
	if !s.Host.Live() {
		return true
	}
	if same, err := compare(a, b, kcmpFS); err == nil && same || denied(err) {
		return true
	}
	x, xerr := s.Host.RootOf(a)
	y, yerr := s.Host.RootOf(b)
	return errors.Join(xerr, yerr) != nil || x == y
}

// Rounds in which the process table is listed again, and how many of the last ones must have lost a process for it to be
// said: who starts a new process and ends the old one all the time is never where the list says.
const (
	maxRounds  = 8
	lostRounds = 4
)

// catchUp reads the processes that began while others were read, until there are no more. It says whether some come and go
// faster than they can be read.
func (s *Scan) catchUp(known map[int]bool, turn *turn) bool {
	lost := 0
	for range maxRounds {
		pids, err := s.Host.PIDs()
		if err != nil {
			return false
		}
		fresh, missed := 0, 0
		for _, pid := range pids {
			if known[pid] {
				continue
			}
			known[pid] = true
			fresh++
			list := turn.read(pid)
			s.procList = append(s.procList, list...)
			if len(list) == 0 {
				if _, err := s.Host.Stat(fmt.Sprintf("/proc/%d", pid)); gone(err) {
					missed++
				}
			}
		}
		if fresh == 0 {
			return false
		}
		if missed == 0 {
			lost = 0
		} else {
			lost++
		}
	}
	return lost >= lostRounds
}
