package ruleset

import (
	"bytes"
	"testing"
)

// TestMessageAgain: handles and counts go, a set gets its number, a table loses its owner.
func TestMessageAgain(t *testing.T) {
	table := appendAttr(nil, 1, []byte("t\x00"))
	table = appendAttr(table, 2, []byte{0, 0, 0, 3}) // dormant and owned
	table = appendAttr(table, 4, make([]byte, 8))    // handle
	got, ok := (&Message{Kind: msgNewTable, Data: table}).Again(1)
	want := appendAttr(appendAttr(nil, 1, []byte("t\x00")), 2, []byte{0, 0, 0, 1})
	if !ok || !bytes.Equal(got, want) {
		t.Errorf("table: %x, want %x", got, want)
	}
	set, ok := (&Message{Kind: msgNewSet, Data: appendAttr(nil, 2, []byte("s\x00"))}).Again(7)
	if !ok || !bytes.HasSuffix(set, appendAttr(nil, 10, []byte{0, 0, 0, 7})) {
		t.Errorf("set: %x", set)
	}
	if _, ok := (&Message{Kind: 22}).Again(1); ok {
		t.Error("a flowtable is loaded again")
	}
	if _, ok := (&Message{Kind: msgNewTable, Data: Hex{1}}).Again(1); ok {
		t.Error("a message that is cut off is loaded again")
	}
}

// TestDynamicSetAgain: a timeout of nothing is told of every rule that updates a set, and not taken by a set whose elements stay.
func TestDynamicSetAgain(t *testing.T) {
	rule := func(timeout []byte) []byte {
		update := appendAttr(nil, 1, []byte("m\x00"))
		if timeout != nil {
			update = appendAttr(update, 6, timeout)
		}
		update = appendAttr(update, 7|nestedBit, appendAttr(nil, 1, []byte("connlimit\x00")))
		dynset := appendAttr(appendAttr(nil, 1, []byte("dynset\x00")), 2|nestedBit, update)
		counter := appendAttr(appendAttr(nil, 1, []byte("counter\x00")), 2|nestedBit, nil)
		return appendAttr(nil, 4|nestedBit, append(appendAttr(nil, 1|nestedBit, counter), appendAttr(nil, 1|nestedBit, dynset)...))
	}
	minute := []byte{0, 0, 0, 0, 0, 0, 0xea, 0x60}
	for name, c := range map[string]struct{ told, want []byte }{
		"none":    {rule(nil), rule(nil)},
		"nothing": {rule(make([]byte, 8)), rule(nil)},
		"some":    {rule(minute), rule(minute)},
	} {
		got, ok := (&Message{Kind: msgNewRule, Data: c.told}).Again(1)
		if !ok || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, want %x", name, got, c.want)
		}
	}
}

// FuzzMessage: whatever a kernel or a file says, nothing is read beyond it.
func FuzzMessage(f *testing.F) {
	f.Add(3, []byte{8, 0, 1, 0, 't', 0, 0, 0})
	f.Add(6, []byte{8, 0, 4, 0x80, 4, 0, 1, 0})
	f.Fuzz(func(_ *testing.T, kind int, data []byte) {
		_, _ = (&Message{Kind: kind, Data: data}).Again(1)
	})
}
