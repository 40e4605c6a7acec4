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

// maxHung bounds how often a uid's processes are waited for in vain; the wait halves each time.
const maxHung = 8

// patient reads something of a process that may never answer. It is left behind then.
func patient[T any](s *Scan, uid int, read func() (T, error)) (T, error) {
	var none T
	s.mu.Lock()
	hung := s.hung[uid]
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
	limit := time.NewTimer(time.Second >> hung)
	defer limit.Stop()
	select {
	case a := <-done:
		return a.v, a.err
	case <-limit.C:
		s.mu.Lock()
		s.hung[uid]++
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
func (s *Scan) environ(pid, uid int) (map[string]string, error) {
	dir, err := s.Host.OpenDir("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	env := map[string]string{}
	in, err := patient(s, uid, func() (part, error) { return readPart(dir, "environ", maxEnviron) })
	if err != nil {
		return nil, err
	}
	for kv := range strings.SplitSeq(string(in.b), "\x00") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	if in.more {
		return env, fmt.Errorf("environment of process %d: more than %d bytes", pid, maxEnviron)
	}
	return env, nil
}
