package checks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// process is one process as several collectors need it: with its unredacted arguments, which never
// leave this package.
type process struct {
	snapshot.Process
	argv []string
}

// maxProcesses bounds the table; pid_max is 4,194,304 at most, and a host near it cannot be read in
// bounded time and memory.
const maxProcesses = 200_000

// processes reads the process table once.
func (s *Scan) processes() ([]*process, error) {
	s.procs.Do(func() {
		pids, err := s.Host.PIDs()
		if err != nil {
			s.procErr = err
			return
		}
		if len(pids) > maxProcesses {
			s.procErr = fmt.Errorf("%d processes, more than %d", len(pids), maxProcesses)
			return
		}
		// Without a security module that gives labels the kernel answers EINVAL for every process.
		_, err = s.Host.ReadFile("/proc/self/attr/current")
		s.labelled = err == nil
		for _, pid := range pids {
			if p := s.readProcess(pid); p != nil {
				s.procList = append(s.procList, p)
			}
		}
	})
	return s.procList, s.procErr
}

// readProcess returns nil for kernel threads and for a process that has gone.
func (s *Scan) readProcess(pid int) *process {
	dir, err := s.Host.OpenDir("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil
	}
	defer dir.Close()
	status, err := dir.ReadFile("status")
	if err != nil {
		return nil
	}
	p := &process{Process: parseStatus(status)}
	p.PID = pid
	note := func(what string, err error) {
		if err != nil && !gone(err) {
			p.Unread = append(p.Unread, what)
		}
	}
	cmdline, err := dir.ReadFile("cmdline")
	note("cmdline", err)
	if kernelThread(status, cmdline, pid, p.PPID) {
		return nil
	}
	p.argv = splitArgs(cmdline)
	p.Cmdline = s.redactArgs(p.argv)
	p.Exe, err = dir.Readlink("exe")
	note("exe", err)
	p.NS = readNamespaces(dir.Readlink)
	if p.NS.User == 0 || p.NS.Net == 0 {
		if status, err = dir.ReadFile("status"); err != nil || ended(status) {
			return nil // it ended while it was read
		}
		p.Unread = append(p.Unread, "namespaces")
	}
	cg, err := dir.ReadFile("cgroup")
	note("cgroup", err)
	p.Cgroup = cgroupPath(cg)
	id := identify(p.Cgroup)
	p.Unit, p.Container, p.Runtime, p.Pod = id.unit, id.container, id.runtime, id.pod
	if s.labelled {
		if lsm, err := dir.ReadFile("attr/current"); err == nil {
			p.LSM = strings.Trim(string(lsm), "\x00\n ")
		}
	}
	return p
}

// ended says whether a process is over and only waits for its parent: it has no program, no namespaces and
// no open files any more.
func ended(status []byte) bool {
	state := statusField(status, "State")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// kernelThread recognises a kernel thread by the Kthread line (Linux 6.10) or, before it, by having
// no arguments and kthreadd as parent.
func kernelThread(status, cmdline []byte, pid, ppid int) bool {
	if k := statusField(status, "Kthread"); k != "" {
		return k == "1"
	}
	return len(cmdline) == 0 && (pid == 2 || ppid == 2)
}

func parseStatus(b []byte) snapshot.Process {
	var p snapshot.Process
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		b = rest
		key, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		v := string(bytes.TrimSpace(value))
		switch string(key) {
		case "Name":
			p.Comm = v
		case "PPid":
			p.PPID = atoi(v)
		case "Uid":
			p.UID = nth(v, 1)
		case "Gid":
			p.GID = nth(v, 1)
		case "Groups":
			for g := range strings.FieldsSeq(v) {
				p.Groups = append(p.Groups, atoi(g))
			}
		case "NSpid":
			p.PIDDepth = len(strings.Fields(v))
		case "CapInh":
			p.CapInh = v
		case "CapPrm":
			p.CapPrm = v
		case "CapEff":
			p.CapEff = v
		case "CapBnd":
			p.CapBnd = v
		case "CapAmb":
			p.CapAmb = v
		case "NoNewPrivs":
			p.NoNewPrivs = v == "1"
		case "Seccomp":
			p.Seccomp = atoi(v)
		}
	}
	return p
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func nth(s string, i int) int {
	f := strings.Fields(s)
	if i < len(f) {
		return atoi(f[i])
	}
	return -1
}

func splitArgs(b []byte) []string {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 {
		return nil
	}
	args := strings.Split(string(b), "\x00")
	if len(args) > 256 {
		args = args[:256]
	}
	for i, a := range args {
		if len(a) > 1024 {
			args[i] = a[:1024]
		}
	}
	return args
}

// secretName matches the names of options and variables that hold secrets.
var secretName = regexp.MustCompile(`(?i)(token|passw|pwd|secret|api[-_]?key|apikey|private[-_]?key|` +
	`credential|bearer|authorization|session[-_]?key|access[-_]?key)`)

// secretValue matches secrets that show by their own form.
var secretValue = regexp.MustCompile(`(sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|` +
	`xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]+|` +
	`://[^/\s:@]+:[^/\s@]+@)`)

const redactedText = "<redacted>"

// redactArgs returns the arguments with the values of secrets replaced, and counts them.
func (s *Scan) redactArgs(args []string) []string {
	out := make([]string, len(args))
	n := 0
	secretNext := false
	for i, a := range args {
		name, _, hasValue := strings.Cut(a, "=")
		switch {
		case secretNext && !strings.HasPrefix(a, "-"):
			out[i] = redactedText
			n++
		case hasValue && secretName.MatchString(name):
			out[i] = name + "=" + redactedText
			n++
		case secretValue.MatchString(a):
			out[i] = secretValue.ReplaceAllString(a, redactedText)
			n++
		case strings.ContainsAny(a, " \n") && secretName.MatchString(a):
			// A whole command or header in one argument: keep its first word.
			out[i] = strings.Fields(a + " x")[0] + " " + redactedText
			n++
		default:
			out[i] = a
		}
		// A flag such as --token, whose value is the next argument; --token-file names a file.
		secretNext = strings.HasPrefix(a, "-") && !hasValue && secretName.MatchString(a) &&
			!strings.HasSuffix(a, "file") && !strings.HasSuffix(a, "path") &&
			!strings.HasPrefix(a, "--no-")
	}
	if n > 0 {
		s.mu.Lock()
		s.redacted += n
		s.mu.Unlock()
	}
	return out
}

// socketOwners maps socket inodes to the processes that hold them. The second result counts the
// processes whose descriptors we were refused.
func (s *Scan) socketOwners() (map[uint64][]int, int) {
	s.sockets.Do(func() {
		s.inodes, s.fds = map[uint64][]int{}, map[uint64]string{}
		procs, _ := s.processes()
		for _, p := range procs {
			s.readFDs(p)
		}
	})
	return s.inodes, s.fdErr
}

func (s *Scan) readFDs(p *process) {
	path := "/proc/" + strconv.Itoa(p.PID)
	dir, err := s.Host.OpenDir(path)
	if err != nil {
		return
	}
	defer dir.Close()
	links, refused, err := dir.Links("fd")
	if refused || err != nil && !gone(err) {
		s.fdErr++
	}
	for n, link := range links {
		if rest, ok := strings.CutPrefix(link, "socket:["); ok {
			ino, _ := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
			if l := s.inodes[ino]; len(l) == 0 || l[len(l)-1] != p.PID {
				s.inodes[ino] = append(l, p.PID)
				s.fds[ino] = path + "/fd/" + n
			}
		}
	}
}

// environ reads the environment of a process; it never leaves this package.
func (s *Scan) environ(pid int) (map[string]string, error) {
	b, err := s.Host.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for kv := range strings.SplitSeq(string(b), "\x00") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env, nil
}

// exeBase is the name of the program file, without the kernel's mark for a deleted one. Where the
// file may not be read it is the name by which the program was started.
func (p *process) exeBase() string {
	if p.Exe == "" && len(p.argv) > 0 {
		return filepath.Base(strings.Fields(p.argv[0] + " .")[0])
	}
	return filepath.Base(strings.TrimSuffix(p.Exe, " (deleted)"))
}

// initNS is the namespaces that stand for "the host": those of process 1, and our own network
// namespace, since that is the network that is audited.
func (s *Scan) initNS() snapshot.NS {
	s.init.Do(func() {
		s.initNSs = s.namespaces("1")
		self := s.namespaces("thread-self")
		if os.Getpid() == 1 || s.initNSs.Mnt == 0 {
			s.initNSs = self
		}
		s.initNSs.Net = self.Net
	})
	return s.initNSs
}
