//go:build linux

// Package bed gives a test a machine of its own to look at and to change: a process in namespaces of its own, where it sees the
// processes, mounts, interfaces, rules and shared memory that it made itself, and nobody else's. Tests in beds run beside each
// other, and beside whatever else the machine does.
package bed

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/need"
)

const (
	// worldVar names the test whose process this is.
	worldVar = "RINGFENCE_E2E_WORLD"
	// buildVar is the directory of what is built once for all beds.
	buildVar = "RINGFENCE_E2E_BUILD"
	// resultFile is where a bed says how its test ended, in its temporary directory.
	resultFile = "result"
)

// side is how many tests run beside each other where the command line does not say it: they wait most of their time.
const side = "8"

// gcPercent lets the heap of a test grow to some hundred megabytes before it is collected: that halves the processor time of the packet
// models over thousands of questions. The program under test has its own setting.
const gcPercent = 400

// beds counts them, for the names of their directories.
var beds atomic.Int64

// Main runs the tests of a package whose tests call Alone.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if name := os.Getenv(worldVar); name != "" {
		if err := furnish(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		debug.SetGCPercent(gcPercent)
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "rf-")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Setenv(buildVar, dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "directory of the beds:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", side); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// Alone runs the rest of a test in a bed, beside other tests, and says whether this already is its process:
//
//	if !bed.Alone(t) {
//		return
//	}
//
// The bed is the first process of pid, mount, network and ipc namespaces of its own, with an empty /run, /dev/shm and
// /etc/sysctl.d and a temporary directory that other users can enter. It ends with the test, and everything in it.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(worldVar) == t.Name() {
		t.Cleanup(func() {
			result := map[bool]string{true: "skipped", false: "ended"}[t.Skipped()]
			if err := os.WriteFile(filepath.Join(os.TempDir(), resultFile), []byte(result), 0o600); err != nil {
				t.Error(err)
			}
		})
		return true
	}
	t.Parallel()
	NeedRoot(t)
	dir := filepath.Join(os.Getenv(buildVar), fmt.Sprint(beds.Add(1)))
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	args := []string{"-test.run=" + only(t.Name()), "-test.v", "-test.count=1"}
	if end, ok := t.Deadline(); ok { // earlier than this process, so that it says where it was
		args = append(args, "-test.timeout="+(time.Until(end)-10*time.Second).String())
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), worldVar+"="+t.Name(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	result, rerr := os.ReadFile(filepath.Join(dir, resultFile))
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case rerr != nil:
		t.Fatalf("the test did not run: %v\n%s", rerr, out)
	case string(result) == "skipped":
		t.Skipf("%s", out)
	case testing.Verbose():
		t.Logf("%s", out)
	}
	return false
}

// only is the pattern of a test's own name. One of its parts, where it was asked for, stays asked for.
func only(name string) string {
	var parts []string
	for p := range strings.SplitSeq(name, "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(p)+"$")
	}
	if asked := strings.Split(flag.Lookup("test.run").Value.String(), "/"); len(asked) > len(parts) {
		parts = append(parts, asked[len(parts):]...)
	}
	return strings.Join(parts, "/")
}

// NeedRoot fails a test of the kernel without root, or without a program that it needs.
func NeedRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root, to make namespaces")
	}
	Need(t, "ip", "nft", "unshare", "nsenter")
}

// InEmptyNetns runs f on a thread in a network namespace of its own, which ends with it.
func InEmptyNetns(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("needs root to make a network namespace")
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done) // also where f ends the test
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			f()
		}
	}()
	if <-done; err != nil {
		t.Fatal(err)
	}
}

// Need is need.Program of several programs.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		need.Program(t, p)
	}
}

// NeedUserNamespaces skips a test where the machine gives an ordinary user no user namespace, and says by which switch.
func NeedUserNamespaces(t *testing.T) {
	t.Helper()
	for file, off := range map[string]string{
		"/proc/sys/user/max_user_namespaces":                     "0",
		"/proc/sys/kernel/unprivileged_userns_clone":             "0",
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
	} {
		if b, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(b)) == off {
			t.Skipf("the machine lacks: user namespaces of ordinary users (%s is %s)", file, off)
		}
	}
	if _, err := os.Stat("/proc/self/ns/user"); err != nil {
		t.Skip("the kernel lacks: user namespaces (CONFIG_USER_NS)")
	}
}

// furnish mounts what belongs to this bed alone.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to itself: %w", err)
	}
	for _, m := range []struct{ kind, at, options string }{
		{"proc", "/proc", ""}, {"tmpfs", "/run", "mode=755"}, {"tmpfs", "/dev/shm", "mode=1777"},
	} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	// What a fix writes here would be somebody else's file to the fix of another bed.
	if err := unix.Mount("tmpfs", "/etc/sysctl.d", "tmpfs", 0, "mode=755"); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("mount /etc/sysctl.d: %w", err)
	}
	for _, dir := range []string{"/run/netns", "/run/lock", "/run/sshd"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := hideProfiles(); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("bring lo up: %w: %s", err, out)
	}
	return nil
}

// hideProfiles takes from root's shell what it does at a login: on the machine of a developer that can wait for a lock, and takes time.
func hideProfiles() error {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil //nolint:nilerr // without a home there is nothing to hide
	}
	for _, name := range []string{".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshenv"} {
		file := filepath.Join(home, name)
		if _, err := os.Stat(file); err != nil {
			continue
		}
		if err := unix.Mount("/dev/null", file, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("hide %s: %w", file, err)
		}
	}
	return nil
}

// Program builds the program once for all beds of a run.
func Program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(os.Getenv(buildVar), "ringfence")
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		return file
	}
	cmd := exec.Command("go", "build", "-o", file, "github.com/ringfence/ringfence/cmd/ringfence")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}

// Patience is how long a test waits for what has to come. It is no time limit of the program: on a loaded machine everything takes long.
const Patience = 60 * time.Second

// Until waits for a state and says at the end whether it came to it.
func Until(is func() bool) bool {
	for end := time.Now().Add(Patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Shell runs a script to its end, and ends the test where it fails.
func Shell(t *testing.T, format string, args ...any) string {
	t.Helper()
	out, err := exec.Command("sh", "-ec", fmt.Sprintf(format, args...)).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", fmt.Sprintf(format, args...), err, out)
	}
	return string(out)
}

// Spread puts every closing brace of a block on a line of its own, as older versions of nft want it.
func Spread(rules string) string {
	for _, word := range []string{"}", "chain", "set", "map", "}"} {
		rules = strings.ReplaceAll(rules, "} "+word, "}\n"+word)
	}
	return rules
}
