//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
)

// errSilent is of a file of /proc that does not answer: the memory that it shows can be on a file system whose server is the
// process's own accomplice.
var errSilent = errors.New("no answer")

// Bounds of waiting in vain: how often for one party, whose wait halves each time, and for how long for all of them
// until each is given a hundredth of a second.
const (
	maxHung   = 8
	maxWaited = 4 * time.Second
)

// uidParty is the party of what a uid's processes and files are.
func uidParty(uid int) string { return fmt.Sprintf("uid %d", uid) }

// patient reads something of a party that may never answer: memory and files can be on a file system of its own. It is
// left behind then.
func patient[T any](s *Scan, whose string, read func() (T, error)) (T, error) {
	var none T
	s.mu.Lock()
	hung, waited := s.hung[whose], s.waited
	s.mu.Unlock()
	if hung >= maxHung {
		return none, errSilent
	}
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := read()
		done <- answer{v, err}
	}()
	wait := min(time.Second>>hung, max(10*time.Millisecond, maxWaited-waited))
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case a := <-done:
		return a.v, a.err
	case <-limit.C:
		s.mu.Lock()
		s.hung[whose]++
		s.waited += wait
		s.mu.Unlock()
		return none, errSilent
	}
}

// part is the beginning of a file, and whether there is more.
type part struct {
	b    []byte
	more bool
}

func readPart(dir *host.Dir, name string, limit int) (part, error) {
	b, more, err := dir.ReadPart(name, limit)
	return part{b, more}, err
}

// maxEnviron bounds the environment that is read of one process, in bytes.
const maxEnviron = 256 << 10

// environ reads the environment of a process; it never leaves this package. It is what the process was started with, or
// what it wrote over that: its own word.
func (s *Scan) environ(p *process) (map[string]string, error) {
	dir, err := s.Host.OpenDir("/proc/" + strconv.Itoa(p.PID))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	env := map[string]string{}
	in, err := patient(s, s.party(p), func() (part, error) { return readPart(dir, "environ", maxEnviron) })
	if err != nil {
		return nil, err
	}
	for kv := range strings.SplitSeq(string(in.b), "\x00") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	if in.more {
		return env, fmt.Errorf("environment of process %d: more than %d bytes", p.PID, maxEnviron)
	}
	return env, nil
}

// statIn and globIn look at files as a process sees them, with the patience that it has left.
func (s *Scan) statIn(p *process, file string) (host.Stat, error) {
	return patient(s, s.party(p), func() (host.Stat, error) { return s.Host.StatIn(p.PID, file) })
}

// globIn is globbing as Host does it; more says that not every name was seen.
func (s *Scan) globIn(p *process, pattern string) (paths []string, more bool) {
	type names struct {
		paths []string
		more  bool
	}
	n, err := patient(s, s.party(p), func() (n names, _ error) {
		n.paths, n.more = s.Host.GlobIn(p.PID, pattern)
		return n, nil
	})
	return n.paths, n.more || err != nil
}
