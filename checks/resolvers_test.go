//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// TestResolversBehindTheStub: where the host asks itself for names, those are told too that it asks then; else the first file alone counts.
func TestResolversBehindTheStub(t *testing.T) {
	for name, c := range map[string]struct {
		etc, systemd string
		want         []string
	}{
		"a stub":         {"nameserver 127.0.0.53\noptions edns0\n", "# of systemd\nnameserver 10.10.0.9\nnameserver 10.10.0.9\nnameserver fd00::9\n", []string{"127.0.0.53", "10.10.0.9", "fd00::9"}},
		"no stub":        {"nameserver 192.0.2.1\n", "nameserver 10.10.0.9\n", []string{"192.0.2.1"}},
		"another's stub": {"nameserver ::1\n", "", []string{"::1"}},
		"none":           {"search example.com\n", "nameserver 10.10.0.9\n", nil},
	} {
		root := t.TempDir()
		for file, text := range map[string]string{"/etc/resolv.conf": c.etc, "/run/systemd/resolve/resolv.conf": c.systemd} {
			if text != "" {
				writeFile(t, root+file, text)
			}
		}
		sec := new(snapshot.Network)
		(&Scan{Host: host.At(root)}).resolvers(sec)
		if !slices.Equal(sec.Resolvers, c.want) {
			t.Errorf("%s: %q, want %q", name, sec.Resolvers, c.want)
		}
	}
}
