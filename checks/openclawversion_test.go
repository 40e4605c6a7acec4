//go:build linux && !ringfence_portable

package checks

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/host"
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
