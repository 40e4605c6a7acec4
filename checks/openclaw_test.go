//go:build linux && !ringfence_portable

package checks

import (
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
