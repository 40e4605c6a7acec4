//go:build linux && !ringfence_portable

package host

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
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
		if got, group := parseACL(b, ACLWrite); !slices.Equal(got, c.want) || group != c.group {
			t.Errorf("%s: %v %v", c.name, got, group)
		}
	}
	b, err := hex.DecodeString("02000000" + "01000600ffffffff" + "02000400e8030000" + "04000400ffffffff" + "10000400ffffffff" + "20000000ffffffff")
	if err != nil {
		t.Fatal(err)
	}
	if got, group := parseACL(b, ACLRead); !slices.Equal(got, []ACLEntry{{false, 1000}}) || !group {
		t.Errorf("who reads: %v %v", got, group)
	}
}

// TestACLOfALink: the list is that of the file that a link leads to, as its mode is.
func TestACLOfALink(t *testing.T) {
	list, err := hex.DecodeString("02000000" + "01000600ffffffff" + "02000600e8030000" + "04000600ffffffff" + "10000600ffffffff" + "20000000ffffffff")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o660); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", file+".link"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(file, "system.posix_acl_access", list, 0); err != nil {
		if !errors.Is(err, unix.ENOTSUP) {
			t.Fatal(err)
		}
		t.Skip("the file system lacks: access control lists")
	}
	for _, p := range []string{file, file + ".link"} {
		if got, group, has, err := At("/").ACL(p, ACLWrite); !has || !group || err != nil || !slices.Equal(got, []ACLEntry{{false, 1000}}) {
			t.Errorf("%s: %v %v %v %v", p, got, group, has, err)
		}
	}
}
