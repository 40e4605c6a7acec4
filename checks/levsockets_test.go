//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestNamedSockets: of the kernel's list those count that listen or take datagrams, and have a name.
func TestNamedSockets(t *testing.T) {
	const list = "Num       RefCount Protocol Flags    Type St Inode Path\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/a b\n" +
		"0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/connected\n" +
		"0000000000000000: 00000002 00000000 00000000 0002 01 13 /run/datagrams\n" +
		"0000000000000000: 00000002 00000000 00010000 0005 01 14 @name\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 15\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 16 relative\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 x /run/x\n"
	want := []namedSocket{{"/run/a b", 11}, {"/run/datagrams", 13}, {"@name", 14}}
	if d := gocmp.Diff(want, namedSockets([]byte(list)), gocmp.AllowUnexported(namedSocket{})); d != "" {
		t.Error(d)
	}
}
