package winhost

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestTables: tables of the kernel as tcpmib.h and udpmib.h have them, and none that ends early.
func TestTables(t *testing.T) {
	one := func(row ...byte) []byte { return append([]byte{1, 0, 0, 0}, row...) }
	six := []byte{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}
	zero := make([]byte, 24)
	listener := func(proto, addr string, family, port, pid int) snapshot.WindowsListener {
		return snapshot.WindowsListener{Proto: proto, Family: family, Addr: addr, Port: port, PID: pid, OwnerState: snapshot.OwnersUnknown}
	}
	for name, c := range map[string]struct {
		read func([]byte) ([]snapshot.WindowsListener, error)
		b    []byte
		want snapshot.WindowsListener
	}{
		"tcp":  {tcp4, one(2, 0, 0, 0, 192, 0, 2, 1, 0x17, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0), listener("tcp", "192.0.2.1", 4, 5985, 4)},
		"tcp6": {tcp6, one(slices.Concat(six, []byte{3, 0, 0, 0, 0, 22, 0, 0}, zero, []byte{2, 0, 0, 0, 0, 1, 0, 0})...), listener("tcp", "fe80::9", 6, 22, 256)},
		"udp":  {udp4, one(0, 0, 0, 0, 0, 53, 0, 0, 7, 0, 0, 0), listener("udp", "0.0.0.0", 4, 53, 7)},
		"udp6": {udp6, one(slices.Concat(six, []byte{3, 0, 0, 0, 0, 53, 0, 0, 7, 0, 0, 0})...), listener("udp", "fe80::9", 6, 53, 7)},
	} {
		got, err := c.read(append(c.b, 0xff)) // the buffer is larger than the table
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %v %v", name, got, err)
		}
		if d := cmp.Diff(got[0], c.want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for i := range c.b {
			if _, err := c.read(c.b[:i]); err == nil {
				t.Errorf("%s: cut at %d: no error", name, i)
			}
		}
	}
}
