//go:build linux && !ringfence_portable

package checks

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

func TestOwnCgroup(t *testing.T) {
	for cgroup, want := range map[string]bool{
		"/system.slice/docker.service":                                              true,
		"/system.slice/system-agents.slice/docker.service":                          true,
		"/agents.slice/docker.service":                                              true,
		"/system.slice/docker.service/init":                                         false,
		"/docker.service":                                                           false,
		"/user.slice/docker.service":                                                false,
		"/user.slice/user-1001.slice/user@1001.service/docker.service":              false,
		"/system.slice/other.service/docker.service":                                false,
		"/system.slice/docker-" + strings.Repeat("a", 64) + ".scope/docker.service": false,
	} {
		if got := ownCgroup(cgroup, "docker.service"); got != want {
			t.Errorf("%s: %v", cgroup, got)
		}
	}
}

// TestMainProcessOfAUnit changes one thing at a time of a process that is what its unit runs: this test's own, with the
// program of PID and files that root alone can write.
func TestMainProcessOfAUnit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root: a program that root alone can write is wanted")
	}
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	s := newScan(host.Local())
	if a, _, err := s.Host.Author(exe); err != nil || !a.Root() {
		t.Fatalf("%s is not root's alone: set TMPDIR to a directory that nobody else writes: %v", exe, err)
	}
	good := func() (*process, map[string][]string) {
		return &process{Process: snapshot.Process{PID: os.Getpid(), PPID: 1, Unit: "x.service"}}, map[string][]string{
			"Id": {"x.service"}, "MainPID": {strconv.Itoa(os.Getpid())}, "User": {""}, "UID": {"[not set]"},
			"FragmentPath": {"/etc/passwd"}, "DropInPaths": {"/etc/group"}, "ExecStart": {"{ path=" + exe + " ; argv[]=x ; }"},
		}
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	loose := open + "/x"
	if err := os.WriteFile(loose, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*process, map[string][]string){
		"":                        func(*process, map[string][]string) {},
		"another name":            func(_ *process, v map[string][]string) { v["Id"] = []string{"y.service"} },
		"not the main process":    func(p *process, _ map[string][]string) { p.PPID = 77 },
		"not the main process of": func(_ *process, v map[string][]string) { v["MainPID"] = []string{"1"} },
		"uid 1001's":              func(p *process, _ map[string][]string) { p.UID = 1001 },
		"transient": func(_ *process, v map[string][]string) {
			v["FragmentPath"] = []string{"/run/systemd/transient/x.service"}
		},
		"does not start one program":         func(_ *process, v map[string][]string) { v["ExecStart"] = append(v["ExecStart"], v["ExecStart"]...) },
		"file of the unit is not root's":     func(_ *process, v map[string][]string) { v["DropInPaths"] = []string{"/etc/group " + loose} },
		"is not the one that the unit start": func(_ *process, v map[string][]string) { v["ExecStart"] = []string{"{ path=/bin/sh ; argv[]=x ; }"} },
	} {
		p, show := good()
		change(p, show)
		if why := s.notMain(p, show); !strings.Contains(why, name) || name == "" && why != "" {
			t.Errorf("%q: %q", name, why)
		}
	}
	p, show := good() // the unit's user
	p.UID, show["User"] = 1001, []string{"1001"}
	if why := s.notMain(p, show); why != "" {
		t.Errorf("the unit's user: %s", why)
	}
}

// TestWhoIsInNoUnitHasNone: what a user runs in a session, in a user's unit or below another's cgroup verifies nothing.
func TestWhoIsInNoUnitHasNone(t *testing.T) {
	s := newScan(host.Local())
	for unit, cgroup := range map[string]string{"": "/user.slice/x", "docker.service": "/user.slice/docker.service", "-x.service": "/system.slice/-x.service"} {
		f := s.runs(t.Context(), &process{Process: snapshot.Process{PID: 1, Unit: unit, Cgroup: cgroup}})
		if f.Verified || unit != "" && f.Why == "" {
			t.Errorf("%q in %s: %+v", unit, cgroup, f)
		}
	}
}

// TestAnswerOfTheManagerIsBounded: what systemctl prints is read up to a limit, and what it says of a unit is what is used.
func TestAnswerOfTheManagerIsBounded(t *testing.T) {
	a := new(answer)
	if _, err := a.Write(make([]byte, maxUnitAnswer)); err != nil {
		t.Error(err)
	}
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("there is no limit")
	}
	show := showLines("Id=ssh.service\nMainPID=7\nUser=\nExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no ; pid=7 }\n")
	if p, ok := startPath(show["ExecStart"]); !ok || p != "/usr/sbin/sshd" || show["MainPID"][0] != "7" || show["User"][0] != "" {
		t.Errorf("%q %q", p, show)
	}
	for _, bad := range []string{"", "{ path= ; argv[]= ; }", "{ path=x ; argv[]=x }", "{ path=/a/../b ; argv[]=x }", "/usr/sbin/sshd"} {
		if p, ok := startPath([]string{bad}); ok {
			t.Errorf("%q: %q", bad, p)
		}
	}
}
