//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// process is one process as several collectors need it: with its arguments, which never leave this package.
type process struct {
	snapshot.Process
	argv []string
	// joined is the beginning of the arguments, once somebody asked for it as one line.
	joined string
	// runsWhat is what it runs behind interpreters and launchers, once somebody asked for it (peeled).
	runsWhat string
	peeled   bool
	// setID says that the program runs as somebody else than who started it. Its name, arguments and environment are the
	// starter's, and speak for nobody: they are not read.
	setID bool
	// cut says that there are more arguments than were read: what is not among them may still be there.
	cut bool
	// argLen is how many bytes of arguments there are. A title that a process writes over them leaves that as it is.
	argLen int
}

// lacksGroups says whether the groups of a process were not read.
func (p *process) lacksGroups() bool { return slices.Contains(p.Unread, unreadGroups) }

// maxArgs bounds the arguments that are read of one process, in bytes: a process can have megabytes of them, and as
// many processes as its user may start.
const maxArgs = 16 << 10

// maxProcesses bounds the table; pid_max is 4,194,304 at most, and a host near it cannot be read in
// bounded time and memory. Beyond it, each uid but root has a share.
const (
	maxProcesses = 200_000
	maxOfUID     = 10_000
)

// shareOut leaves out what one uid runs beyond its share, and says so.
func (s *Scan) shareOut(pids []int) (kept []int, gap string) {
	seen, over := map[int]int{}, map[string]bool{}
	for _, pid := range pids {
		st, err := s.Host.Stat("/proc/" + strconv.Itoa(pid))
		if err != nil {
			continue
		}
		if seen[st.UID]++; st.UID != 0 && seen[st.UID] > maxOfUID || len(kept) >= 2*maxProcesses {
			over[fmt.Sprintf("uid %d", st.UID)] = true
			continue
		}
		kept = append(kept, pid)
	}
	return kept, fmt.Sprintf("%s: more than %d processes, the others were not read", strings.Join(sortedKeys(over), ", "), maxOfUID)
}

// processes reads the process table once.
func (s *Scan) processes() ([]*process, error) {
	s.procs.Do(func() {
		pids, err := s.Host.PIDs()
		if err != nil {
			s.procErr = err
			return
		}
		// Without a security module that gives labels the kernel answers EINVAL for every process.
		_, err = s.Host.ReadFile("/proc/self/attr/current")
		s.labelled = err == nil
		s.procGap = s.hiddenProcesses()
		if len(pids) > maxProcesses {
			pids, s.procGap = s.shareOut(pids)
		}
		known, turn := map[int]bool{}, s.newTurn()
		for _, pid := range pids {
			known[pid] = true
			s.procList = append(s.procList, turn.read(pid)...)
		}
		if s.Host.Live() && len(pids) <= maxProcesses && s.catchUp(known, turn) && s.procGap == "" {
			s.procGap = "processes come and go faster than they can be read"
		}
		s.procGap = cmp.Or(s.procGap, s.procLost)
		s.procGap = turn.gap(s.procGap)
		s.shareGroups(s.procList)
	})
	return s.procList, s.procErr
}

// lostTask notes why a process that is there could not be read, as without a descriptor left.
func (s *Scan) lostTask(err error) {
	if !gone(err) {
		s.procLost = cause(err).Error()
	}
}

// taskDir is the directory of a thread in /proc.
type taskDir interface {
	ReadFile(name string) ([]byte, error)
}

// exiting is PF_EXITING (include/linux/sched.h), which do_exit sets before it gives anything up.
const exiting = 0x4

// hasEnded says whether a thread whose namespaces were not read ends, or has ended. It gives them up before its status tells of it (do_exit:
// exit_task_namespaces comes before exit_notify), and on a loaded host it can wait long between the two; its flags have told of it before.
func hasEnded(dir taskDir) bool {
	stat, err := dir.ReadFile("stat")
	if err != nil {
		return gone(err)
	}
	_, fields, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte{' '}) // the name can have anything (proc_pid_stat(5))
	const flags = 9 - 3                                                             // the first one here is the third one of the line
	list := bytes.Fields(fields)
	if len(list) <= flags {
		return false
	}
	word, err := strconv.ParseUint(string(list[flags]), 10, 64)
	return err == nil && word&exiting != 0
}

// readTask reads one thread by its number, and says how many its process has. It returns nil for kernel threads and for what
// has gone.
func (s *Scan) readTask(pid int) (task *process, threads int) {
	dir, err := s.Host.OpenDir("/proc/" + strconv.Itoa(pid))
	if err != nil {
		s.lostTask(err)
		return nil, 0
	}
	defer dir.Close()
	status, err := dir.ReadFile("status")
	if err != nil {
		s.lostTask(err)
		return nil, 0
	}
	threads = atoi(statusField(status, "Threads"))
	if ended(status) {
		return nil, threads
	}
	acts, kept := changedID(status)
	p := &process{Process: parseStatus(status), setID: acts || kept}
	p.PID = pid
	note := func(what string, err error) {
		if err != nil && !gone(err) {
			p.Unread = append(p.Unread, what)
		}
	}
	cmdline, err := patient(s, uidParty(s.account(p.UID)), func() (part, error) { return readPart(dir, "cmdline", maxArgs) })
	note("cmdline", err)
	if kernelThread(status, cmdline.b, pid, p.PPID) {
		return nil, 0
	}
	p.argv, p.cut, p.argLen = splitArgs(cmdline.b), cmdline.more, len(cmdline.b)
	p.Exe, err = dir.Readlink("exe")
	note("exe", err)
	p.NS = readNamespaces(dir.Readlink)
	if p.NS.User == 0 || p.NS.Net == 0 {
		if hasEnded(dir) {
			return nil, threads // it ended while it was read
		}
		p.Unread = append(p.Unread, "namespaces")
		if b, err := dir.ReadFile("uid_map"); err == nil && p.NS.User == 0 && wholeMap(b) {
			p.NS.User = s.ownUser()
		}
	}
	if one := s.initNS(); p.NS.PID != one.PID || p.NS.User != one.User {
		p.HostRoot = s.hasHostRoot(dir)
	}
	if st, err := dir.Stat("status"); err == nil {
		p.Undumpable = s.Host.Live() && p.UID > 0 && st.UID == 0 // else the files of its directory are those of its user (proc_pid(5))
	}
	cg, err := dir.ReadFile("cgroup")
	note("cgroup", err)
	at := s.groupsOf.placeOf(s, cg)
	p.Cgroup = at.path
	if p.Unified = at.unified; p.Unified == p.Cgroup {
		p.Unified = ""
	}
	id := at.id
	p.Unit, p.UserUnit, p.Runtime, p.Pod = id.unit, id.userUnit, id.runtime, id.pod
	p.Container, p.ContainerWord = containerID(id.container, id.word), id.word
	if st, err := dir.Stat("exe"); err == nil {
		p.ExeWord = s.programWord(p, st)
		p.setID = acts || st.Perm&0o6000 != 0
		p.SetID = st.Perm&0o6000 != 0 && !strings.HasPrefix(strings.TrimSpace(statusField(status, "Uid")), "0\t")
	}
	if p.setID {
		p.argv, p.cut = nil, false
	}
	if s.labelled {
		if lsm, err := dir.ReadFile("attr/current"); err == nil {
			p.LSM = strings.Trim(string(lsm), "\x00\n ")
		}
	}
	return p, threads
}

// hasHostRoot says of a process that its root directory is that of the host, by device and inode.
func (s *Scan) hasHostRoot(dir *host.Dir) bool {
	own, err := s.Host.Stat("/")
	if one, lerr := s.Host.Stat("/proc/1/root"); lerr == nil {
		own, err = one, nil
	}
	root, rerr := dir.Stat("root")
	return err == nil && rerr == nil && root.Dev == own.Dev && root.Ino == own.Ino
}

// wholeMap says of the uids of a user namespace, as we see them, that they are all of ours and unchanged (user_namespaces(7)): it is our
// own, or one that is no less.
func wholeMap(b []byte) bool {
	return slices.Equal(strings.Fields(string(b)), []string{"0", "0", "4294967295"})
}

// ownUser is our own user namespace, if it is one of all uids; else 0.
func (s *Scan) ownUser() uint64 {
	if b, err := s.Host.ReadFile("/proc/thread-self/uid_map"); err != nil || !wholeMap(b) {
		return 0
	}
	return s.namespaces("thread-self").User
}

// changedID says whether a process acts as another user or group than who started it: the real and the effective ones differ; or has kept another
// to go back to, the saved one. That one is what a set-id program began with, or a daemon of root that has stepped down for good but for this
// (Squid): which, the program's file tells. A daemon that root started and that acts as somebody else has root's arguments (NRPE).
func changedID(status []byte) (acts, kept bool) {
	for _, key := range []string{"Uid", "Gid"} {
		ids := strings.Fields(statusField(status, key))
		if key == "Uid" && len(ids) > 0 && ids[0] == "0" {
			return false, false
		}
		if len(ids) >= 3 {
			acts, kept = acts || ids[0] != ids[1], kept || ids[0] != ids[2]
		}
	}
	return acts, kept
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
		if string(key) == "Groups" {
			var cut bool
			if p.Groups, cut = parseGroups(value); cut {
				p.Unread = append(p.Unread, unreadGroups)
			}
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
			p.RealRoot = nth(v, 0) == 0 && p.UID != 0
		case "Gid":
			p.GID = nth(v, 1)
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
	return strings.Split(string(b), "\x00")
}

// programKey is a program file, and the path by which the kernel names it.
type programKey struct {
	dev, ino uint64
	path     string
}

// programWord says who decides what a program does: of a file that the host itself has at the path that the kernel names,
// whoever can write it there. The path of a program elsewhere is the choice of whoever made that mount
// namespace, and of a program that was removed or replaced nobody can tell.
func (s *Scan) programWord(p *process, st host.Stat) snapshot.Word {
	if !s.Host.Live() {
		return snapshot.Word{}
	}
	k := programKey{st.Dev, st.Ino, p.Exe}
	if w, ok := s.programs[k]; ok {
		return w
	}
	if strings.Count(p.Exe, "/") > maxProgramDepth {
		return snapshot.Word{}
	}
	whose := s.lookedAt(p)
	w, err := spending(&s.programTime, whose, func(time.Duration) (snapshot.Word, error) {
		return patient(s, whose, func() (snapshot.Word, error) { return s.hostWord(p.Exe, st) })
	})
	if err == nil { // what one party has no time left for is another's question still
		s.programs[k] = w
	}
	return w
}

// wordOf is the word of a file.
func wordOf(a host.Author) snapshot.Word {
	if a.Others {
		return snapshot.Word{By: snapshot.ByOthers}
	}
	return snapshot.WordOf(a.UID)
}

// hiddenProcesses says why the list of processes may leave out those of others (proc(5), hidepid and subset), "" if it
// does not: who may trace every process sees them all.
func (s *Scan) hiddenProcesses() string {
	if !s.Host.Live() {
		return ""
	}
	b, err := s.ownMounts()
	if err != nil {
		return fmt.Sprintf("whether processes are hidden is not known: %v", err)
	}
	hidden := ""
	for _, m := range parseMountinfo(b) {
		if m.point != "/proc" || m.fs != "proc" {
			continue
		}
		hidden = "" // the last mount is on top
		for opt := range strings.SplitSeq(m.super, ",") {
			if v, ok := strings.CutPrefix(opt, "hidepid="); ok && v != "0" && v != "off" {
				hidden = "/proc hides the processes of other users (hidepid=" + v + ", needs CAP_SYS_PTRACE)"
			}
		}
	}
	const ptrace = 19 // CAP_SYS_PTRACE
	status, err := s.Host.ReadFile("/proc/thread-self/status")
	caps, perr := strconv.ParseUint(statusField(status, "CapEff"), 16, 64)
	if err == nil && perr == nil && caps&(1<<ptrace) != 0 {
		return ""
	}
	return hidden
}

// exeBase is the name of the program file, without the kernel's mark for a deleted one. Where the
// file may not be read it is the name by which the program was started.
func (p *process) exeBase() string {
	if p.Exe == "" && len(p.argv) > 0 {
		return p.ownName()
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

// ownName is the base name by which the program was started, "." where that is empty or spaces alone. Who started it chose it. Of a process that has
// put a title in its place (sshd: /usr/sbin/sshd -D [listener]) it is what that begins with.
func (p *process) ownName() string {
	return strings.TrimSuffix(filepath.Base(strings.Fields(p.argv[0] + " .")[0]), ":")
}
