//go:build linux

// Package hostile audits hosts on which somebody works against the audit: a user without rights, or a container, makes
// processes, files and namespaces so that evidence is hidden or forged, the audit ends, secrets leak, somebody
// else is harmed, or root opens, writes or runs what it should not. Each test has a host of its own: a world of
// processes in namespaces of their own, which ends with the test.
package hostile

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/need"
	"github.com/ringfence/ringfence/snapshot"
)

// deadline bounds every wait: what has not come by then does not come.
const deadline = 40 * time.Second

// The users of a world: mal is hostile, vic minds their own business.
const (
	root = 0
	mal  = 1001
	vic  = 1002
)

// homes are their directories.
var homes = map[int]string{root: "/root", mal: "/home/mal", vic: "/home/vic"}

// made is what all worlds share: the program that is tested, and this test as a program that needs no library.
var made struct {
	sync.Once
	dir, ringfence, helper string
	err                    error
}

// worlds counts them, for names.
var worlds atomic.Int64

func TestMain(m *testing.M) {
	if name := os.Getenv(roleVar); name != "" || unasked() {
		play(name)
		return
	}
	code := m.Run()
	if made.dir != "" {
		_ = os.RemoveAll(made.dir)
	}
	os.Exit(code)
}

// build makes the programs once. RINGFENCE_BINARY names another program to test.
func build() {
	made.dir, made.err = os.MkdirTemp("", "ringfence-hostile-")
	if made.err == nil {
		made.err = os.Chmod(made.dir, 0o755)
	}
	if made.err != nil {
		return
	}
	run := func(out string, args ...string) string {
		to := filepath.Join(made.dir, out)
		cmd := exec.Command("go", append(args[:len(args)-1:len(args)-1], "-o", to, args[len(args)-1])...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if b, err := cmd.CombinedOutput(); err != nil {
			made.err = fmt.Errorf("build %s: %w: %s", out, err, b)
		}
		return to
	}
	if made.ringfence = os.Getenv("RINGFENCE_BINARY"); made.ringfence == "" {
		made.ringfence = run("ringfence", "build", "../../cmd/ringfence")
	}
	if made.helper, made.err = os.Executable(); made.err == nil && dynamic(made.helper) {
		made.helper = run("helper", "test", "-c", ".")
	}
}

// dynamic says whether a program needs libraries, which a container does not have.
func dynamic(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return true
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}

// Bed is a host of its own: pid, mount, network, ipc and uts namespaces, scratch directories in the place of those
// that it writes, the users mal and vic, and interfaces of three zones.
type Bed struct {
	t   *testing.T
	n   int64
	pid int // of its first process

	world   *Proc
	cgroups string // where its cgroups are
}

// New makes a world and lets other tests run beside it.
func New(t *testing.T) *Bed {
	t.Helper()
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("needs root, to make namespaces")
	}
	for _, tool := range []string{"nsenter", "nft", "sh"} {
		need.Program(t, tool)
	}
	if made.Do(build); made.err != nil {
		t.Fatal(made.err)
	}
	b := &Bed{t: t, n: worlds.Add(1)}
	cmd := exec.Command(made.helper)
	cmd.Env = append(os.Environ(), roleVar+"=world", "HOSTILE_DIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	p := b.launch(cmd)
	b.pid, b.world = cmd.Process.Pid, p
	p.ready(t)
	return b
}

// Proc is a process of a world.
type Proc struct {
	PID   int // in the world
	cmd   *exec.Cmd
	in    io.WriteCloser
	said  chan string // its lines
	err   bytes.Buffer
	ended chan struct{}
	once  sync.Once
	deaf  bool // it does not end with its input
}

// launch starts a command that tells in lines what it does, until its input ends.
func (b *Bed) launch(cmd *exec.Cmd) *Proc {
	b.t.Helper()
	p := &Proc{cmd: cmd, said: make(chan string, 1024), ended: make(chan struct{})}
	cmd.Stderr = &p.err
	out, err := cmd.StdoutPipe()
	if err == nil {
		p.in, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.t.Fatalf("start %v: %v", cmd.Args, err)
	}
	go func() {
		defer close(p.ended)
		defer close(p.said)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.said <- s.Text()
		}
		_ = cmd.Wait()
	}()
	b.t.Cleanup(p.stop)
	return p
}

// stop ends the process, or the whole world if it is its first one.
func (p *Proc) stop() {
	p.once.Do(func() {
		_ = p.in.Close()
		if p.deaf {
			end(p.cmd.Process.Pid)
		}
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second): // its children may keep its output open: they end with the world
			end(p.cmd.Process.Pid)
			_ = p.cmd.Process.Kill()
		}
	})
}

// line waits for a line that begins so and gives the rest of it.
func (p *Proc) line(t *testing.T, begins string) string {
	t.Helper()
	for end := time.After(deadline); ; {
		select {
		case l, ok := <-p.said:
			if !ok {
				t.Fatalf("%v ended: %s", p.cmd.Args, p.err.String())
			}
			if reason, ok := strings.CutPrefix(l, "lacking: "); ok {
				t.Skipf("the kernel lacks: %s", reason)
			}
			if rest, ok := strings.CutPrefix(l, begins); ok {
				return strings.TrimSpace(rest)
			}
		case <-end:
			t.Fatalf("%v does not say %q: %s", p.cmd.Args, begins, p.err.String())
		}
	}
}

// ready waits until the process has done what it was started for.
func (p *Proc) ready(t *testing.T) *Proc {
	t.Helper()
	pid := p.line(t, "ready ")
	if p.PID == 0 {
		p.PID, _ = strconv.Atoi(pid)
	}
	return p
}

// command is a command in the world, by a user, with nothing of this process's environment.
func (b *Bed) command(uid int, argv ...string) *exec.Cmd {
	args := []string{"--target", strconv.Itoa(b.pid), "--mount", "--uts", "--ipc", "--net", "--pid"}
	if uid != root {
		args = append(args, "--setuid", strconv.Itoa(uid), "--setgid", strconv.Itoa(uid))
	}
	cmd := exec.Command("nsenter", append(append(args, "--"), argv...)...)
	cmd.Env = []string{"HOME=" + homes[uid], "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd
}

// run runs a command to its end.
func (b *Bed) run(uid int, argv ...string) string {
	b.t.Helper()
	out, err := b.command(uid, argv...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// until waits for a state of the world.
func (b *Bed) until(what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(deadline); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("it does not come to it that %s", what)
		}
	}
}

// path is where this process finds a file of the world.
func (b *Bed) path(p string) string { return fmt.Sprintf("/proc/%d/root%s", b.pid, p) }

// must ends the test on an error of its own making.
func (b *Bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// dir makes a directory and those above it that are missing, all of one user.
func (b *Bed) dir(uid int, p string) string {
	b.t.Helper()
	if _, err := os.Lstat(b.path(p)); err == nil {
		return p
	}
	b.dir(uid, filepath.Dir(p))
	b.must(os.Mkdir(b.path(p), 0o755))
	b.must(os.Lchown(b.path(p), uid, uid))
	return p
}

// write makes a file of a user, mode 0644.
func (b *Bed) write(uid int, p, text string) string {
	b.t.Helper()
	b.dir(uid, filepath.Dir(p))
	b.must(os.WriteFile(b.path(p), []byte(text), 0o644))
	b.must(os.Lchown(b.path(p), uid, uid))
	return p
}

// program puts the helper at a path, as a file of a user.
func (b *Bed) program(uid int, p string) string {
	b.t.Helper()
	b.dir(uid, filepath.Dir(p))
	if _, err := os.Lstat(b.path(p)); err == nil {
		return p
	}
	from, err := os.Open(made.helper)
	b.must(err)
	defer from.Close()
	// A child that is forked while the file is open for writing would keep it busy until it runs its own program.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	to, err := os.OpenFile(b.path(p), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	b.must(err)
	_, err = io.Copy(to, from)
	b.must(errors.Join(err, to.Close(), os.Lchown(b.path(p), uid, uid)))
	return p
}

// Program is what a process of a world runs.
type Program struct {
	Path string // of the helper's copy; made if it is not there
	Args []string
	Role string // pause if it is empty
	Env  []string
}

// start starts a program of a user and waits until it is ready.
func (b *Bed) start(uid int, p Program) *Proc {
	b.t.Helper()
	return b.begin(uid, p).ready(b.t)
}

// begin starts a program of a user.
func (b *Bed) begin(uid int, p Program) *Proc {
	b.t.Helper()
	cmd := b.command(uid, append([]string{b.program(uid, p.Path)}, p.Args...)...)
	if p.Role == "" {
		p.Role = "pause"
	}
	cmd.Env = append(append(cmd.Env, roleVar+"="+p.Role), p.Env...)
	return b.launch(cmd)
}

// listens starts a program of a user that listens: "tcp4 0.0.0.0:22", "unix /run/docker.sock".
func (b *Bed) listens(uid int, program string, addrs ...string) *Proc {
	b.t.Helper()
	return b.start(uid, Program{Path: program, Role: "listen", Env: []string{"HOSTILE_LISTEN=" + strings.Join(addrs, "||")}})
}

// answer is what came of a run of ringfence.
type answer struct {
	out    []byte
	err    string
	code   int
	took   time.Duration
	cpu    time.Duration
	maxRSS int64 // KiB
}

// ringfence runs the program in the world, as a user.
func (b *Bed) ringfence(uid int, stdin io.Reader, args ...string) answer {
	b.t.Helper()
	cmd := b.command(uid, append([]string{made.ringfence}, args...)...)
	return b.measure(cmd, stdin)
}

// measure runs a command to its end, within the deadline.
func (b *Bed) measure(cmd *exec.Cmd, stdin io.Reader) answer {
	b.t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := cmd.Start(); err != nil {
		b.t.Fatalf("start %v: %v", cmd.Args, err)
	}
	stop := context.AfterFunc(ctx, func() { end(cmd.Process.Pid) })
	defer stop()
	err := cmd.Wait()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		b.t.Fatal(err)
	}
	st := cmd.ProcessState
	a := answer{out: out.Bytes(), err: errs.String(), code: st.ExitCode(), took: time.Since(begin), cpu: st.UserTime() + st.SystemTime()}
	if ru, ok := st.SysUsage().(*syscall.Rusage); ok {
		a.maxRSS = ru.Maxrss
	}
	if ctx.Err() != nil {
		b.t.Fatalf("%v: no end within %v", cmd.Args, deadline)
	}
	return a
}

// end kills what nsenter started, and with it nsenter.
func end(pid int) {
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for f := range strings.FieldsSeq(string(list)) {
		if child, err := strconv.Atoi(f); err == nil {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
	}
}

// collect is a snapshot of the world, as root.
func (b *Bed) collect() (*snapshot.Snapshot, []byte) {
	b.t.Helper()
	a := b.ringfence(root, nil, "collect", "-q")
	s := new(snapshot.Snapshot)
	if err := json.Unmarshal(a.out, s); err != nil {
		b.t.Fatalf("no snapshot, exit code %d: %v\n%.600s", a.code, err, a.err)
	}
	return s, a.out
}

// Report is a report of an audit, with what it took.
type Report struct {
	finding.Report
	answer
	t *testing.T
}

// audit is the report of an audit by root; without one the test ends.
func (b *Bed) audit(args ...string) *Report {
	b.t.Helper()
	return b.report(b.ringfence(root, nil, append([]string{"audit", "-q", "-f", "json", "--fail-on", "none"}, args...)...))
}

func (b *Bed) report(a answer) *Report {
	b.t.Helper()
	r := &Report{answer: a, t: b.t}
	if err := json.Unmarshal(a.out, &r.Report); err != nil {
		b.t.Fatalf("no report, exit code %d: %v\n%.600s", a.code, err, a.err)
	}
	return r
}
