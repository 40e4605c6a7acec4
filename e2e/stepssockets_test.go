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
