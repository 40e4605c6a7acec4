package trace

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
)

// TestConditionsNameTheText: who reads a condition sees which text a packet must not have, or must have, whatever bytes are in it.
func TestConditionsNameTheText(t *testing.T) {
	for _, c := range []struct {
		text    string
		flags   byte
		not, is string
	}{
		{"sipvicious", 0, `the packet does not have the text "sipvicious"`, `the packet has the text "sipvicious"`},
		{"GET", 1, `the packet has the text "GET"`, `the packet does not have the text "GET"`},
		{"\x1b[2J\u202e", 0, `the packet does not have the text "\x1b[2J\u202e"`, `the packet has the text "\x1b[2J\u202e"`},
		{"", 0, "the data of the packet: not as the rule asks", "the data of the packet: as the rule asks"},
	} {
		info := make([]byte, 160)
		binary.NativeEndian.PutUint16(info[2:], 0xffff)
		copy(info[20:148], c.text)
		info[148], info[149] = byte(len(c.text)), c.flags
		got := writtenStates(&ruleset.XtWritten{What: ruleset.WrittenData, By: info})
		if got[0].text != c.not || got[1].text != c.is {
			t.Errorf("%q: %v", c.text, got)
		}
	}
}
