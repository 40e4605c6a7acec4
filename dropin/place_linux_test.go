//go:build linux && !ringfence_portable

package dropin

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fake is a system in memory: what was run, what holds, and which servers live.
type fake struct {
	ran       []string
	fail      map[string]string // what a command that begins so prints, and ends with an error
	effective func() string
	servers   map[int]bool // whether each lives
	hungUp    []int
	ends      bool // a server ends when it is told to read its configuration
	sysctls   map[string]string
	none      bool // no systemd
	slept     time.Duration
}

func (f *fake) run(_ context.Context, argv []string) (string, error) {
	line := strings.Join(argv, " ")
	f.ran = append(f.ran, line)
	for prefix, out := range f.fail {
		if strings.HasPrefix(line, prefix) {
			return out, errors.New("exit status 1")
		}
	}
	if f.effective != nil && (strings.HasSuffix(line, " -T") || strings.Contains(line, " show ")) {
		return f.effective(), nil
	}
	return "", nil
}

func (f *fake) systemd() bool         { return !f.none }
func (f *fake) isServer(pid int) bool { return f.servers[pid] }
func (f *fake) alive(pid int) bool    { return f.servers[pid] }
func (f *fake) pause(d time.Duration) { f.slept += d }

func (f *fake) hangUp(pid int) error {
	f.hungUp = append(f.hungUp, pid)
	if f.ends {
		f.servers[pid] = false
	}
	return nil
}

func (f *fake) sysctl(name string) (string, error) {
	v, ok := f.sysctls[name]
	if !ok {
		return "", os.ErrNotExist
	}
	return v, nil
}

func (f *fake) setSysctl(name, value string) error {
	if _, ok := f.sysctls[name]; !ok || value == "refused" {
		return os.ErrPermission
	}
	f.sysctls[name] = value
	return nil
}

// sshd is a file of sshd's, with a server.
func sshd() (*File, *fake) {
	sys := &fake{servers: map[int]bool{7: true}, effective: func() string { return "port 22\npermitrootlogin without-password\n" }}
	return &File{
		Service: serviceSSHD, Path: "/etc/ssh/sshd_config.d/00-ringfence.conf", Content: "PermitRootLogin prohibit-password\n",
		Want: map[string]string{"PermitRootLogin": "prohibit-password"}, Validate: []string{"/usr/sbin/sshd", "-t"}, Effective: []string{"/usr/sbin/sshd", "-T"}, PIDs: []int{7},
	}, sys
}

// unitFile is a file of a unit's.
func unitFile() (*File, *fake) {
	sys := &fake{effective: func() string { return "NoNewPrivileges=yes\nActiveState=active\n" }}
	return &File{
		Service: serviceUnit, Unit: "a.service", Path: "/etc/systemd/system/a.service.d/50-ringfence.conf", Content: "[Service]\nNoNewPrivileges=yes\n",
		Want: map[string]string{"NoNewPrivileges": "yes"}, Validate: []string{systemdAnalyze, "verify", "--", "a.service"}, Effective: []string{systemctl, "show", "--", "a.service"},
	}, sys
}

// TestFileIsPlacedAndTakenBack: it is checked, read by the service and in effect; taken back, the service reads again.
func TestFileIsPlacedAndTakenBack(t *testing.T) {
	asRoot(t)
	for name, c := range map[string]struct {
		make   func() (*File, *fake)
		placed []string
		back   []string
	}{
		"sshd": {sshd, []string{"/usr/sbin/sshd -t", "/usr/sbin/sshd -T"}, nil},
		"a unit": {unitFile, slices.Concat(
			[]string{"/usr/bin/systemd-analyze verify -- a.service", "/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl restart -- a.service"},
			slices.Repeat([]string{"/usr/bin/systemctl is-active --quiet -- a.service"}, 6), []string{"/usr/bin/systemctl show -- a.service"},
		), append([]string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl restart -- a.service"},
			slices.Repeat([]string{"/usr/bin/systemctl is-active --quiet -- a.service"}, 6)...)},
	} {
		f, sys := c.make()
		s := &Services{t.TempDir(), sys}
		a, err := s.Record(f)
		must(t, err, s.Place(t.Context(), a))
		if b, err := os.ReadFile(s.path(f.Path)); err != nil || string(b) != f.Content {
			t.Errorf("%s: %q %v", name, b, err)
		}
		if !slices.Equal(sys.ran, c.placed) || !slices.Equal(sys.hungUp, f.PIDs) {
			t.Errorf("%s: ran %q, told %v", name, sys.ran, sys.hungUp)
		}
		sys.ran, sys.hungUp = nil, nil
		must(t, s.TakeBack(t.Context(), a), s.TakeBack(t.Context(), a)) // also twice
		if !slices.Equal(sys.ran, slices.Concat(c.back, c.back)) || !slices.Equal(sys.hungUp, slices.Concat(f.PIDs, f.PIDs)) {
			t.Errorf("%s: taken back it ran %q, told %v", name, sys.ran, sys.hungUp)
		}
		if _, err := os.Stat(s.path(f.Path)); err == nil {
			t.Errorf("%s: it is still there", name)
		}
	}
}

// TestServiceThatBreaksWithItsFile: each way in which a service does not get along with a file is told; the file can then be taken back,
// and the service gets what it had before.
func TestServiceThatBreaksWithItsFile(t *testing.T) {
	asRoot(t)
	for name, c := range map[string]struct {
		make  func() (*File, *fake)
		spoil func(*fake)
		want  string
	}{
		"sshd refuses it": {sshd, func(f *fake) {
			f.fail = map[string]string{"/usr/sbin/sshd -t": "line 1: Bad configuration option\nmore"}
		}, "sshd refuses the file: line 1: Bad configuration option"},
		"sshd ends with it":      {sshd, func(f *fake) { f.ends = true }, "sshd, process 7, ended when it was reloaded"},
		"another file is first":  {sshd, func(f *fake) { f.effective = func() string { return "permitrootlogin yes\n" } }, `PermitRootLogin is "yes" in effect, not "prohibit-password": another file comes first`},
		"sshd tells nothing":     {sshd, func(f *fake) { f.fail = map[string]string{"/usr/sbin/sshd -T": ""} }, "ask sshd what holds: exit status 1"},
		"a unit is refused":      {unitFile, func(f *fake) { f.fail = map[string]string{systemdAnalyze: "Unknown key"} }, "unit refuses the file: Unknown key"},
		"systemd cannot read it": {unitFile, func(f *fake) { f.fail = map[string]string{systemctl + " daemon-reload": "x"} }, "systemd reads its files again: x"},
		"it does not start":      {unitFile, func(f *fake) { f.fail = map[string]string{systemctl + " restart": "Job failed"} }, "restart a.service: Job failed"},
		"it ends soon":           {unitFile, func(f *fake) { f.fail = map[string]string{systemctl + " is-active": ""} }, "a.service does not stay up with the file"},
		"it is not in effect":    {unitFile, func(f *fake) { f.effective = func() string { return "NoNewPrivileges=no\n" } }, "another file comes first"},
		"there is no systemd":    {unitFile, func(f *fake) { f.none = true }, "a.service: systemd does not run here"},
	} {
		f, sys := c.make()
		s := &Services{t.TempDir(), sys}
		must(t, os.MkdirAll(filepath.Dir(s.path(f.Path)), 0o755), os.WriteFile(s.path(f.Path), []byte("old\n"), 0o644))
		a, err := s.Record(f)
		must(t, err)
		c.spoil(sys)
		if err := s.Place(t.Context(), a); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		sys.fail, sys.ends, sys.none = nil, false, false
		must(t, s.TakeBack(t.Context(), a))
		if b, err := os.ReadFile(s.path(f.Path)); err != nil || string(b) != "old\n" {
			t.Errorf("%s: taken back it is %q %v", name, b, err)
		}
	}
}

// TestSysctlsAreSetAndSetBack: all values that can be, and those that cannot are named.
func TestSysctlsAreSetAndSetBack(t *testing.T) {
	asRoot(t)
	sys := &fake{sysctls: map[string]string{"kernel.a": "0", "kernel.b": "1"}}
	s := &Services{t.TempDir(), sys}
	f := &File{Service: serviceSysctl, Path: "/etc/sysctl.d/90-ringfence.conf", Content: "x", Want: map[string]string{"kernel.a": "1", "kernel.b": "1"}}
	a, err := s.Record(f)
	must(t, err, s.Place(t.Context(), a))
	if want := map[string]string{"kernel.a": "1", "kernel.b": "1"}; !maps.Equal(sys.sysctls, want) {
		t.Errorf("on trial: %v", sys.sysctls)
	}
	must(t, s.Holds(t.Context(), a), s.TakeBack(t.Context(), a))
	if want := map[string]string{"kernel.a": "0", "kernel.b": "1"}; !maps.Equal(sys.sysctls, want) {
		t.Errorf("taken back: %v", sys.sysctls)
	}
	if err := s.Holds(t.Context(), a); err == nil || !strings.Contains(err.Error(), "kernel.a") {
		t.Errorf("it holds no more: %v", err)
	}
	f.Want = map[string]string{"kernel.none": "1"}
	if _, err := s.Record(f); err == nil {
		t.Error("a switch that the kernel does not have was recorded")
	}
	f.Want = map[string]string{"kernel.a": "refused", "kernel.b": "0"}
	a, err = s.Record(f)
	must(t, err)
	if err := s.Place(t.Context(), a); err == nil || !strings.Contains(err.Error(), "set kernel.a") || sys.sysctls["kernel.b"] != "0" {
		t.Errorf("%v %v", err, sys.sysctls)
	}
}

// TestServerThatIsGone: a process that is no SSH server any more is not told anything when the file is taken back.
func TestServerThatIsGone(t *testing.T) {
	asRoot(t)
	f, sys := sshd()
	s := &Services{t.TempDir(), sys}
	a, err := s.Record(f)
	must(t, err, s.Place(t.Context(), a))
	sys.hungUp, sys.servers = nil, nil
	if err := s.TakeBack(t.Context(), a); err != nil || len(sys.hungUp) > 0 {
		t.Errorf("%v, told %v", err, sys.hungUp)
	}
}

// TestFileIsWrittenWhereRootAloneDecides: a folder of a user's is refused, before the service is asked anything.
func TestFileIsWrittenWhereRootAloneDecides(t *testing.T) {
	asRoot(t)
	f, sys := sshd()
	s := &Services{t.TempDir(), sys}
	a, err := s.Record(f)
	dir := filepath.Dir(s.path(f.Path))
	must(t, err, os.MkdirAll(dir, 0o755), os.Chown(dir, 1001, 0))
	if err := s.Place(t.Context(), a); err == nil || len(sys.ran) > 0 {
		t.Errorf("%v, ran %q", err, sys.ran)
	}
	if _, err := s.Record(f); err == nil {
		t.Error("what is in a user's folder was recorded")
	}
}

// TestProgramEndsWithItsContext: whoever interrupts a fix does not wait for systemd.
func TestProgramEndsWithItsContext(t *testing.T) {
	asRoot(t)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	begin := time.Now()
	if _, err := (real{}).run(ctx, []string{"/bin/sleep", "60"}); err == nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

// TestTouches: what a file changes, by which an audit after it is compared.
func TestTouches(t *testing.T) {
	for service, want := range map[string][]string{serviceSSHD: {"ssh"}, serviceSysctl: {"kernel", "network"}, serviceUnit: nil, serviceSocket: nil, serviceDocker: nil} {
		if got := (&File{Service: service}).Touches(); !slices.Equal(got, want) {
			t.Errorf("%s: %v", service, got)
		}
	}
}
