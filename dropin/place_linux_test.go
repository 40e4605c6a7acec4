//go:build linux && !ringfence_portable

package dropin

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"os/exec"
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
	serving   map[int]map[string]uint32 // by pid
	started   func(f *fake)             // what becomes of it when the service reads its configuration, or starts again
	soon      []soon
	running   string // what is-system-running says
}

func (f *fake) run(_ context.Context, argv []string) (string, error) {
	line := strings.Join(argv, " ")
	f.ran = append(f.ran, line)
	for prefix, out := range f.fail {
		if strings.HasPrefix(line, prefix) {
			return out, errors.New("exit status 1")
		}
	}
	switch {
	case strings.Contains(line, " show --property MainPID "):
		return "70\n", nil
	case strings.Contains(line, " restart ") && f.started != nil:
		f.started(f)
	case strings.HasSuffix(line, " is-system-running"):
		return f.running, nil
	}
	if f.effective != nil && (strings.HasSuffix(line, " -T") || strings.Contains(line, " show ")) {
		return f.effective(), nil
	}
	return "", nil
}

func (f *fake) systemd() bool         { return !f.none }
func (f *fake) isServer(pid int) bool { return f.servers[pid] }
func (f *fake) alive(pid int) bool    { return f.servers[pid] }

func (f *fake) pause(d time.Duration) {
	f.slept += d
	for _, s := range f.soon {
		if s.at <= f.slept {
			s.do()
		}
	}
	f.soon = slices.DeleteFunc(f.soon, func(s soon) bool { return s.at <= f.slept })
}

// soon is something that happens once a system has slept for so long.
type soon struct {
	at time.Duration
	do func()
}

func (f *fake) serves(pid int) (map[string]uint32, error) { return maps.Clone(f.serving[pid]), nil }

func (f *fake) hangUp(pid int) error {
	f.hungUp = append(f.hungUp, pid)
	if f.started != nil {
		f.started(f)
	}
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

const showMain = "/usr/bin/systemctl show --property MainPID --value -- a.service"

// startsAgain is what is run for a unit that serves nothing: it must stay up for three seconds.
var startsAgain = append([]string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl is-system-running", "/usr/bin/systemctl restart -- a.service"},
	slices.Repeat([]string{"/usr/bin/systemctl is-active --quiet -- a.service"}, 6)...)

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
			[]string{showMain, "/usr/bin/systemd-analyze verify -- a.service"}, startsAgain, []string{"/usr/bin/systemctl show -- a.service"},
		), startsAgain},
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
		"it ends soon":           {unitFile, func(f *fake) { f.fail = map[string]string{systemctl + " is-active": ""} }, "a.service does not stay up"},
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

// TestServiceServesAgain: a service that was reloaded or started again is waited for until it serves what it did, and no longer than 15
// seconds: then the file does not do.
func TestServiceServesAgain(t *testing.T) {
	asRoot(t)
	serving := func(inode uint32, list ...string) map[string]uint32 {
		m := map[string]uint32{}
		for i, at := range list {
			m[at] = inode + uint32(i)
		}
		return m
	}
	before := serving(1, "0.0.0.0:22", "[::]:22")
	after := func(d time.Duration, now map[string]uint32) func(*fake) {
		return func(f *fake) {
			for pid := range f.serving {
				f.serving[pid] = nil
			}
			f.soon = append(f.soon, soon{f.slept + d, func() { f.serving = map[int]map[string]uint32{7: now, 70: now} }})
		}
	}
	never := after(time.Hour, nil)
	for name, c := range map[string]struct {
		make    func() (*File, *fake)
		started func(*fake)
		want    string // of the error
		most    time.Duration
	}{
		"sshd at once":                {sshd, after(0, serving(10, "0.0.0.0:22", "[::]:22")), "", 200 * time.Millisecond},
		"sshd after a while":          {sshd, after(9*time.Second, serving(10, "0.0.0.0:22", "[::]:22")), "", 10 * time.Second},
		"sshd too late":               {sshd, never, "sshd, process 7, does not listen on 0.0.0.0:22, [::]:22 again", startLimit},
		"sshd on one address only":    {sshd, after(0, serving(10, "0.0.0.0:22")), "does not listen on [::]:22 again", startLimit},
		"sshd on another port":        {sshd, after(0, serving(10, "0.0.0.0:2222", "[::]:2222")), "does not listen on 0.0.0.0:22, [::]:22 again", startLimit},
		"sshd that has not begun":     {sshd, func(f *fake) { f.soon = append(f.soon, soon{f.slept + 2*time.Second, func() { f.servers[7] = false }}) }, "ended when it was reloaded", 3 * time.Second},
		"sshd that keeps its sockets": {sshd, func(*fake) {}, "", startLimit},
		"a unit at once":              {unitFile, after(0, serving(10, "0.0.0.0:22", "[::]:22")), "", 500 * time.Millisecond},
		"a unit after a while":        {unitFile, after(9*time.Second, serving(10, "0.0.0.0:22", "[::]:22")), "", 10 * time.Second},
		"a unit too late":             {unitFile, never, "a.service does not listen on 0.0.0.0:22, [::]:22 again", startLimit},
		"a unit on another port":      {unitFile, after(0, serving(10, "127.0.0.1:22", "[::1]:22")), "does not listen on", startLimit},
		"a unit that is down":         {unitFile, func(f *fake) { f.fail = map[string]string{systemctl + " is-active": ""} }, "a.service does not stay up", startLimit},
		"a unit that starts some more": {unitFile, func(f *fake) {
			f.fail = map[string]string{systemctl + " is-active": ""}
			f.soon = append(f.soon, soon{f.slept + 4*time.Second, func() { f.fail = nil }})
		}, "", 5 * time.Second},
	} {
		f, sys := c.make()
		sys.serving = map[int]map[string]uint32{7: before, 70: before}
		s := &Services{t.TempDir(), sys}
		a, err := s.Record(f)
		must(t, err)
		if len(a.Serves) != 1 || len(slices.Concat(slices.Collect(maps.Values(a.Serves))...)) != len(before) {
			t.Errorf("%s: it serves %v", name, a.Serves)
		}
		sys.slept, sys.started = 0, c.started
		switch err := s.Place(t.Context(), a); {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", name, err)
		case sys.slept > c.most:
			t.Errorf("%s: it took %s", name, sys.slept)
		}
		// Taken back it must serve again too, and that is told where it does not.
		sys.fail, sys.servers, sys.soon, sys.started = nil, map[int]bool{7: true}, nil, never
		if err := s.TakeBack(t.Context(), a); err == nil || !strings.Contains(err.Error(), "does not listen on") {
			t.Errorf("%s: taken back: %v", name, err)
		}
		if _, err := os.Stat(s.path(f.Path)); err == nil {
			t.Errorf("%s: the file is still there", name)
		}
		sys.started = after(0, before)
		must(t, s.TakeBack(t.Context(), a))
	}
}

// TestServiceStopsWhatItsFileCloses: what the file has a service no longer serve is not waited for; taken back it is.
func TestServiceStopsWhatItsFileCloses(t *testing.T) {
	asRoot(t)
	f, sys := unitFile()
	f.Stops = []int{2375}
	sys.serving = map[int]map[string]uint32{70: {"0.0.0.0:2375": 1, "127.0.0.1:9": 2}}
	s := &Services{t.TempDir(), sys}
	a, err := s.Record(f)
	must(t, err)
	sys.started = func(f *fake) { f.serving = map[int]map[string]uint32{70: {"127.0.0.1:9": 3}} }
	must(t, s.Place(t.Context(), a))
	if err := s.TakeBack(t.Context(), a); err == nil || !strings.Contains(err.Error(), "does not listen on 0.0.0.0:2375 again") {
		t.Errorf("taken back: %v", err)
	}
}

// TestUnitIsNotStartedInEarlyBoot: what takes a file back then runs before the units that would be started, and they would wait for it.
func TestUnitIsNotStartedInEarlyBoot(t *testing.T) {
	asRoot(t)
	f, sys := unitFile()
	s := &Services{t.TempDir(), sys}
	a, err := s.Record(f)
	must(t, err, s.Place(t.Context(), a))
	sys.ran, sys.running = nil, "initializing\n"
	must(t, s.TakeBack(t.Context(), a))
	if want := []string{"/usr/bin/systemctl daemon-reload", "/usr/bin/systemctl is-system-running"}; !slices.Equal(sys.ran, want) {
		t.Errorf("ran %q", sys.ran)
	}
}

// TestWhatAProcessServes: the sockets of this process that accept connections, and nobody else's.
func TestWhatAProcessServes(t *testing.T) {
	own, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer own.Close()
	wide, err := net.Listen("tcp", ":0")
	must(t, err)
	defer wide.Close()
	got, err := (real{}).serves(os.Getpid())
	must(t, err)
	at := wide.Addr().(*net.TCPAddr).AddrPort()
	if len(got) != 2 || got[own.Addr().String()] == 0 || got[at.String()] == 0 {
		t.Errorf("%v, want %s and %s", got, own.Addr(), at)
	}
	wide.Close()
	if got, err = (real{}).serves(os.Getpid()); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
	cmd := exec.Command("/bin/sleep", "60")
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if got, err = (real{}).serves(cmd.Process.Pid); err != nil || len(got) != 0 {
		t.Errorf("another process: %v %v", got, err)
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

// TestTakenBackBesideWhatSomebodyMade: what somebody made of a file that was put in place stays beside it, and what was there before comes back
// with its mode.
func TestTakenBackBesideWhatSomebodyMade(t *testing.T) {
	asRoot(t)
	f, sys := sshd()
	s := &Services{root: t.TempDir(), sys: sys}
	name := s.path(f.Path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("old\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	a, err := s.Record(f)
	if err != nil {
		t.Fatal(err)
	}
	a.ID = "7"
	if err := s.Place(t.Context(), a); err != nil || s.Changed(a) {
		t.Fatalf("changed %v: %v", s.Changed(a), err)
	}
	if err := os.WriteFile(name, []byte("edited\n"), 0o644); err != nil || !s.Changed(a) {
		t.Fatalf("not changed: %v", err)
	}
	for range 2 { // it can be called again
		if err := s.TakeBack(t.Context(), a); err != nil || s.Changed(a) {
			t.Errorf("changed %v: %v", s.Changed(a), err)
		}
		old, err := os.ReadFile(name)
		st, serr := os.Stat(name)
		edited, eerr := os.ReadFile(s.path(a.Aside()))
		if err := errors.Join(err, serr, eerr); err != nil || string(old) != "old\n" || st.Mode().Perm() != 0o600 || string(edited) != "edited\n" {
			t.Errorf("%q %v, beside it %q: %v", old, st.Mode(), edited, err)
		}
	}
}
