//go:build linux && !ringfence_portable

package host

import (
	"encoding/hex"
	"slices"
	"testing"
)

// TestACL reads lists as setfacl(1) made them: of a socket of mode 0660 with another user and another group, and with a mask that takes the
// permission to write from all of them.
func TestACL(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []ACLEntry
		group      bool
	}{
		{
			"user and group", "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000600ffffffff" + "0800060064000000" + "10000600ffffffff" + "20000000ffffffff",
			[]ACLEntry{{false, 1000}, {true, 100}},
			true,
		},
		{
			"a group that only reads", "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000400ffffffff" + "10000600ffffffff" + "20000000ffffffff",
			[]ACLEntry{{false, 1000}},
			false,
		},
		{
			"a mask", "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000600ffffffff" + "10000400ffffffff" + "20000000ffffffff", nil, false,
		},
		{"cut", "0200", nil, false},
	} {
		b, err := hex.DecodeString(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got, group := parseACL(b); !slices.Equal(got, c.want) || group != c.group {
			t.Errorf("%s: %v %v", c.name, got, group)
		}
	}
}
