//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
)

// rootDaemon runs what it is told as root, by a socket of everybody, one of root alone, or a name.
const rootDaemon = `import os,socket,subprocess,sys
os.umask(0)
s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1].replace("@","\0")); s.listen()
if sys.argv[2:]: os.chmod(sys.argv[1],int(sys.argv[2],8))
while True:
    c,_=s.accept(); subprocess.run(["/bin/sh","-c",c.recv(4096).decode()])
`

// TestSocketsOfPeople: an account that may speak to what another person runs is told so, and really does as that person; one whose directory keeps it out is not.
func TestSocketsOfPeople(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "sudo", "/usr/bin/python3")
	agentScene(t)
	bed.Shell(t, "echo person:x:1077:1077::/nonexistent:/bin/sh >>/etc/passwd; echo person:x:1077: >>/etc/group; echo 'person:*:1::::::' >>/etc/shadow; "+
		"echo 'person ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/person; chmod 440 /etc/sudoers.d/person; mkdir -m 700 /run/steps/shut; chown 1077 /run/steps/shut")
	for at, open := range map[string]bool{"/run/steps/p": true, "/run/steps/shut/p": false, "@person": true} {
		daemon := exec.CommandContext(t.Context(), "setpriv", "--reuid", "1077", "--regid", "1077", "--init-groups", "/usr/bin/python3", "-c", rootDaemon, at)
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a := ask(t, power.Root)
		told := strings.Contains(strings.Join(a.Because, " "), "does for who connects to "+at)
		if a.Verdict == power.Yes || told != open {
			t.Errorf("%s: %s by %+v, %v", at, a.Verdict, a.Path, a.Because)
		}
		step := `/usr/bin/python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.connect("` + strings.ReplaceAll(at, "@", `\0`) + `"); s.send(b"sudo id -u >/run/steps/proof")'`
		if got := taken(t, step, "sleep 1", "test $(cat /run/steps/proof) = 0"); got != open {
			t.Errorf("%s: the step is taken is %v", at, got)
		}
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}
}

// TestSocketsOfDaemonsOfRoot: an account that may speak to a daemon of root that is not known is told so, by a file or a name, and really becomes root by one; it is
// told nothing of a socket of root alone.
func TestSocketsOfDaemonsOfRoot(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "/usr/bin/python3")
	agentScene(t)
	for name, c := range map[string]struct {
		at, mode string
		open     bool
	}{
		"a file of everybody":  {"/run/steps/a", "", true},
		"a file of root alone": {"/run/steps/b", "700", false},
		"a name":               {"@steps", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-c", rootDaemon, c.at}
			if c.mode != "" {
				args = append(args, c.mode)
			}
			daemon := exec.CommandContext(t.Context(), "/usr/bin/python3", args...)
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = daemon.Process.Kill(); _ = daemon.Wait() }()
			time.Sleep(time.Second)
			a := ask(t, power.Root)
			told := strings.Contains(strings.Join(a.Because, " "), "does for who connects to "+c.at)
			if a.Verdict == power.Yes || told != c.open {
				t.Errorf("%s by %+v, %v", a.Verdict, a.Path, a.Because)
			}
			step := `/usr/bin/python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.connect("` + strings.ReplaceAll(c.at, "@", `\0`) + `"); s.send(b"id -u >/run/steps/proof")'`
			if got := taken(t, step, "sleep 1", "test $(cat /run/steps/proof) = 0"); got != c.open {
				t.Errorf("the step is taken is %v", got)
			}
		})
	}
}
