package ruleset

import (
	"encoding/binary"
	"testing"
)

// connbytes is a match as iptables writes it.
func connbytes(from, to uint64, what, direction byte) *Xt {
	info := binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, from), to)
	return &Xt{Name: "connbytes", Info: append(info, what, direction, 0, 0, 0, 0, 0, 0)}
}

// TestFirstPacketsOfConnections: one packet is counted of who opens a connection, and none of who answers; its length is the sender's.
func TestFirstPacketsOfConnections(t *testing.T) {
	for _, c := range []struct {
		x            *Xt
		holds, known bool
	}{
		{connbytes(0, 10, 0, 2), true, true},
		{connbytes(1, 1, 0, 0), true, true},
		{connbytes(2, 10, 0, 2), false, true},
		{connbytes(10, 2, 0, 2), true, true},
		{connbytes(1, 1, 0, 1), false, true},
		{connbytes(0, 0, 1, 1), true, true},
		{connbytes(20, 65535, 1, 0), true, true},
		{connbytes(21, 65535, 1, 0), false, false},
		{connbytes(100_000, 1<<60, 1, 0), false, true},
		{connbytes(65535, 20, 1, 0), false, true},
		{connbytes(500, 40, 1, 0), false, false},
		{connbytes(19, 5, 2, 0), true, true},
	} {
		holds, known := c.x.Connbytes().OfFirst(20)
		if known != c.known || known && holds != c.holds {
			t.Errorf("%+v: %v %v", *c.x.Connbytes(), holds, known)
		}
	}
	if (&Xt{Name: "connbytes", Info: make([]byte, 17)}).Connbytes() != nil {
		t.Error("a match that is cut is read")
	}
}
