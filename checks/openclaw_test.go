//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestOpenClawIsWhereItsLibrariesAre: a gateway that has set its title shows its package by the libraries that it maps alone (seen with 2026.9.6 of npm).
func TestOpenClawIsWhereItsLibrariesAre(t *testing.T) {
	const maps = "7f33a1200000-7f33a1300000 r--p 00000000 08:01 9  /usr/lib/x86_64-linux-gnu/libc.so.6\n7f33a1400000-7f33a1500000 rw-p 00000000 00:00 0 \n"
	for library, want := range map[string][]string{
		"/opt/a/node_modules/@openclaw/fs-safe-linux-x64-gnu/fs-safe-native.node": {"/opt/a/node_modules/openclaw"},
		"/usr/lib/node_modules/openclaw/node_modules/@openclaw/fs-safe/x.node":    {"/usr/lib/node_modules/openclaw"},
		"/opt/a b/node_modules/openclaw/dist/x.node":                              {"/opt/a b/node_modules/openclaw"},
		"/opt/a/node_modules/koffi/koffi.node":                                    nil,
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "proc/7/maps"), maps+"7f33a1600000-7f33a1700000 r-xp 00001000 08:01 77   "+library+"\n")
		p := &process{}
		p.PID = 7
		if got := newScan(host.At(dir)).mappedPackages(p, "openclaw"); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", library, got, want)
		}
	}
}

// TestOpenClawByItsUnit: a gateway that has set its title was started with the options of its unit, which count before its file.
func TestOpenClawByItsUnit(t *testing.T) {
	for start, want := range map[string]string{
		"/usr/bin/openclaw gateway --auth none --port 18790": "none",
		"/usr/bin/openclaw gateway $OPTS":                    "none",
		"/usr/bin/openclaw gateway run":                      "token",
		"/usr/bin/other --auth none":                         "token",
	} {
		root := t.TempDir()
		writeFile(t, filepath.Join(root, "proc/7/environ"), "HOME=/root\x00")
		writeFile(t, filepath.Join(root, "proc/7/root/root/.openclaw/openclaw.json"), `{gateway: {auth: {mode: "token", token: "x"}}}`)
		writeFile(t, filepath.Join(root, "etc/systemd/system/oc.service"), "[Service]\nEnvironment=\"OPTS=--auth none\"\nExecStart="+start+"\n")
		p := &process{argv: []string{"openclaw-gateway"}}
		p.PID, p.Unit = 7, "oc.service"
		a := &snapshot.Agent{Ports: []int{18789}}
		newScan(host.At(root)).openClaw(p, a, new(Outcome))
		if a.Auth.Value != want {
			t.Errorf("%s: %+v, want %s", start, a.Auth, want)
		}
	}
}

// TestOpenClawTitleHidesOptions: a title leaves the length of the arguments that it is written over (seen with 2026.9.6 of npm: 117 bytes of
// "node …/.bin/openclaw gateway run --allow-unconfigured --auth none …"). Where --auth has room, who started the gateway tells, or nobody.
func TestOpenClawTitleHidesOptions(t *testing.T) {
	node := func(args string) int { return len("node " + args + " ") }
	const oc = "/usr/bin/openclaw"
	for name, c := range map[string]struct {
		length         int
		shell          string // the script, as a shell leaves it
		launcher       []string
		userUnit, spec string
		mode           string // of the file
		want           string // "" where it is not known
	}{
		"nothing hidden":              {length: node(oc + " gateway"), shell: oc, want: "token"},
		"run":                         {length: node(oc + " gateway run"), shell: oc, want: "token"},
		"a port":                      {length: node(oc + " gateway --port 18789"), shell: oc, want: "token"},
		"none":                        {length: node(oc + " gateway --auth none"), shell: oc},
		"none, by no shell":           {length: node(oc + " gateway --auth none")},
		"long options":                {length: node(oc + " gateway run --allow-unconfigured"), shell: oc},
		"hidden over none":            {length: node(oc + " gateway --auth token"), shell: oc, mode: "none"},
		"another program by a shell":  {length: node("/opt/long/way/to/openclaw gateway"), shell: "/opt/long/way/to/nohup"},
		"a launcher":                  {length: 200, launcher: []string{"sudo", "-u", "oc", "openclaw", "gateway", "--auth", "none"}, want: "none"},
		"a launcher's text":           {length: 200, launcher: []string{"bash", "-c", "cd /; openclaw gateway --auth none; date"}, want: "none"},
		"a launcher with a variable":  {length: 200, launcher: []string{"bash", "-c", "openclaw gateway $OPTS; date"}},
		"a launcher that says less":   {length: 200, launcher: []string{"/bin/sh", "/opt/start-gateway"}},
		"a unit of the user":          {length: 200, userUnit: "[Service]\nExecStart=/usr/bin/node /usr/lib/node_modules/openclaw/dist/index.js gateway --port 18789\n", want: "token"},
		"a unit of the user, no auth": {length: 200, userUnit: "[Service]\nEnvironment=A=none\nExecStart=/usr/bin/openclaw gateway --auth ${A}\n", want: "none"},
		"a container":                 {length: 200, spec: `{"process":{"args":["node","dist/index.js","gateway","--bind","lan"]}}`, want: "token"},
		"a container, no auth":        {length: 200, spec: `{"process":{"args":["node","openclaw.mjs","gateway","--auth=none"]}}`, want: "none"},
	} {
		root := t.TempDir()
		env := "HOME=/root\x00"
		if c.shell != "" {
			env += "_=" + c.shell + "\x00"
		}
		mode := cmp.Or(c.mode, "token")
		writeFile(t, filepath.Join(root, "proc/7/environ"), env)
		writeFile(t, filepath.Join(root, "proc/7/root/root/.openclaw/openclaw.json"), `{gateway: {auth: {mode: "`+mode+`", token: "x"}}}`)
		p := &process{argv: []string{"openclaw-gateway"}, argLen: c.length}
		p.PID, p.PPID = 7, 6
		if c.userUnit != "" {
			p.UserUnit = "openclaw-gateway.service"
			writeFile(t, filepath.Join(root, "proc/7/root/root/.config/systemd/user/openclaw-gateway.service"), c.userUnit)
		}
		if c.spec != "" {
			p.Container, p.ContainerWord = "0123456789ab", snapshot.Word{By: snapshot.ByKernel}
			writeFile(t, filepath.Join(root, "run/containerd/io.containerd.runtime.v2.task/moby/0123456789ab/config.json"), c.spec)
		}
		s := newScan(host.At(root))
		launcher := &process{argv: c.launcher}
		launcher.PID, launcher.NS = 6, p.NS
		s.pidOnce.Do(func() { s.pids = map[int]*process{6: launcher, 7: p} })
		a := &snapshot.Agent{Ports: []int{18789}}
		s.openClaw(p, a, new(Outcome))
		if a.Auth.Value != c.want || c.want == "" && a.Auth.State != snapshot.Error {
			t.Errorf("%s: %+v, want %q", name, a.Auth, c.want)
		}
	}
}

// TestOpenClawFileBeforeEnvironment: the mode that the file names counts, whatever secret the environment has (2026.9.6: override, file, then password).
func TestOpenClawFileBeforeEnvironment(t *testing.T) {
	for text, want := range map[string]string{
		`{gateway: {auth: {mode: "none"}}}`:  "none",
		`{gateway: {auth: {mode: "token"}}}`: "token",
		`{gateway: {}}`:                      "password",
	} {
		root := t.TempDir()
		writeFile(t, filepath.Join(root, "proc/7/environ"), "HOME=/root\x00OPENCLAW_GATEWAY_PASSWORD=x\x00")
		writeFile(t, filepath.Join(root, "proc/7/root/root/.openclaw/openclaw.json"), text)
		p := &process{}
		p.PID = 7
		a := &snapshot.Agent{Ports: []int{18789}}
		newScan(host.At(root)).openClaw(p, a, new(Outcome))
		if a.Auth.Value != want {
			t.Errorf("%s: %+v, want %s", text, a.Auth, want)
		}
	}
}

// TestProfileOfALauncher: a shell that starts a gateway is read with the files of the profile that it names, as the gateway is.
func TestProfileOfALauncher(t *testing.T) {
	for line, want := range map[string]string{
		"node openclaw.mjs --profile work gateway; exit 1":       "/h/.openclaw-work/openclaw.json",
		"openclaw --profile=work gateway":                        "/h/.openclaw-work/openclaw.json",
		"openclaw --dev gateway":                                 "/h/.openclaw-dev/openclaw.json",
		"openclaw --profile default gateway":                     "/h/.openclaw/openclaw.json",
		"openclaw gateway":                                       "/h/.openclaw-env/openclaw.json",
		"other --profile work && openclaw --profile own gateway": "/h/.openclaw-own/openclaw.json",
	} {
		p := &process{argv: []string{"/bin/sh", "-c", line}}
		if got := newScan(host.At(t.TempDir())).openClawPath(p, map[string]string{"HOME": "/h", "OPENCLAW_PROFILE": "env"}); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	p := &process{argv: []string{"openclaw", "--profile", "work", "gateway"}}
	if got := newScan(host.At(t.TempDir())).openClawPath(p, map[string]string{"HOME": "/h", "OPENCLAW_STATE_DIR": "/s"}); got != "/s/openclaw.json" {
		t.Errorf("the state that the environment names: %s", got)
	}
}
