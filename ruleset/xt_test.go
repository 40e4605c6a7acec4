package ruleset

import "testing"

// FuzzXt reads the binary form of every extension that the package knows.
func FuzzXt(f *testing.F) {
	f.Add("conntrack", uint32(3), false, make([]byte, 168))
	f.Add("multiport", uint32(1), false, make([]byte, 48))
	for _, name := range []string{"iprange", "mac", "connmark", "rpfilter", "pkttype", "physdev", "ttl", "hl", "state", "mark"} {
		f.Add(name, uint32(0), false, make([]byte, 80))
		f.Add(name, uint32(1), false, make([]byte, 80))
	}
	for _, name := range []string{"DNAT", "NETMAP", "CONNMARK", "CT", "MARK", "NFQUEUE"} {
		f.Add(name, uint32(2), true, make([]byte, 44))
	}
	f.Fuzz(func(_ *testing.T, name string, rev uint32, target bool, info []byte) {
		x := Xt{Name: name, Rev: rev, Target: target, Info: info}
		x.decode()
	})
}

// TestRevisionsOfConnmark: what iptables 1.8 writes for --set-mark, --save-mark and --restore-mark is revision 1 or 2, which has a shift
// before the mode (include/uapi/linux/netfilter/xt_connmark.h).
func TestRevisionsOfConnmark(t *testing.T) {
	words := func(tail ...byte) []byte {
		var b []byte
		for _, n := range []uint32{7, 0xff, 0xffff} {
			b = ne.AppendUint32(b, n)
		}
		return append(b, tail...)
	}
	for _, c := range []struct {
		rev  uint32
		info []byte
		want *XtConnmark
	}{
		{1, words(1, 0, 0, 0), &XtConnmark{Mode: "save", Mark: 7, Mask: 0xff, NFMask: 0xffff}},
		{2, words(0, 0, 2, 0), &XtConnmark{Mode: "restore", Mark: 7, Mask: 0xff, NFMask: 0xffff}},
		{2, words(1, 8, 1, 0), &XtConnmark{Mode: "save", Mark: 7, Mask: 0xff, NFMask: 0xffff, Shift: 8, Right: true}},
		{2, words(0, 0, 3, 0), nil},
		{2, words(0, 0), nil},
		{3, words(0, 0, 0, 0), nil},
	} {
		d := decodeConnmark(c.rev, c.info)
		switch {
		case (d == nil) != (c.want == nil):
			t.Errorf("revision %d, % x: %+v", c.rev, c.info, d)
		case d != nil && *d.Connmark != *c.want:
			t.Errorf("revision %d, % x: %+v, want %+v", c.rev, c.info, *d.Connmark, *c.want)
		}
	}
}
