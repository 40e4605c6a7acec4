//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
)

func accountHost(t testing.TB, passwd, group string) (*Scan, string) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Scan{Host: host.At(root)}, filepath.Join(root, "etc")
}

// TestGroupMembers: those named in /etc/group and those whose primary group it is, each once.
func TestGroupMembers(t *testing.T) {
	s, _ := accountHost(t, "root:x:0:0::/root:/bin/sh\nvic:x:1002:50::/h/vic:/bin/sh\nann:x:1001:1001::/h/ann:/bin/sh\nbroken line\n",
		"root:x:0:\nstaff:x:50:ann,vic\nann:x:1001:\nshort:x\n")
	var got []string
	for _, g := range s.groups() {
		got = append(got, fmt.Sprint(g.name, g.members))
	}
	if want := []string{"root[root]", "staff[ann vic]", "ann[ann]"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, c := range []struct {
		gid, uid int
		want     bool
	}{{50, 1001, true}, {1001, 1001, false}, {1001, 0, true}, {99, 0, false}} {
		if got := s.groupHasOthers(c.gid, c.uid); got != c.want {
			t.Errorf("group %d has others than %d: %v", c.gid, c.uid, got)
		}
	}
}

// TestAccountsAreReadOnce: a scan reads the files once, however many questions there are, and its answers
// do not change in the middle.
func TestAccountsAreReadOnce(t *testing.T) {
	s, etc := accountHost(t, "ann:x:1001:50::/h/ann:/bin/sh\n", "staff:x:50:\n")
	before := len(s.users())
	for _, name := range []string{"passwd", "group"} {
		if err := os.Remove(filepath.Join(etc, name)); err != nil {
			t.Fatal(err)
		}
	}
	if before != 1 || len(s.users()) != 1 || len(s.groups()) != 1 || !s.groupHasOthers(50, 0) {
		t.Errorf("after the files went away: %d users, %d groups", len(s.users()), len(s.groups()))
	}
}

// BenchmarkAccounts is 2,000 users, each in a group of its own.
func BenchmarkAccounts(b *testing.B) {
	var passwd, group strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&passwd, "u%d:x:%d:%d::/home/u%d:/bin/sh\n", i, 1000+i, 1000+i, i)
		fmt.Fprintf(&group, "u%d:x:%d:\n", i, 1000+i)
	}
	text, lines := passwd.String(), group.String()
	for b.Loop() {
		s, _ := accountHost(b, text, lines)
		for i := range 2000 {
			s.groupHasOthers(1000+i, 1000+i)
		}
	}
}
