package trace

import (
	"encoding/binary"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
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

// TestTextsOfHeaders: the kernel looks for a text in the headers too, where the sender cannot leave it out.
func TestTextsOfHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		from, to uint16
		flags    byte
		fate     Outcome // "" where the sender decides
	}{
		"the first byte of a header of IPv4":      {"E", 0, 0xffff, 0, Drop},
		"the same, whatever its case":             {"e", 0, 0xffff, 2, Drop},
		"it in small letters":                     {"e", 0, 0xffff, 0, ""},
		"the port, beside half of another":        {"\x00\x16", 0, 0xffff, 0, Drop},
		"the port, where it is":                   {"\x00\x16", 22, 24, 0, Drop},
		"the port, where it begins":               {"\x00\x16", 22, 23, 0, ""},
		"the port, after it":                      {"\x00\x16", 23, 0xffff, 0, ""},
		"whoever has not the port":                {"\x00\x16", 0, 0xffff, 1, Local},
		"a text that the sender has to write":     {"sipvicious", 0, 0xffff, 0, ""},
		"what nobody but the sender numbers (id)": {"\x00\x00\x16\x16", 0, 0xffff, 0, ""},
	} {
		info := make([]byte, 160)
		binary.NativeEndian.PutUint16(info, c.from)
		binary.NativeEndian.PutUint16(info[2:], c.to)
		copy(info[20:148], c.text)
		info[148], info[149] = byte(len(c.text)), c.flags
		s := fixtures.Host()
		chain := ruleset.Chain{Name: "i", Base: &ruleset.Base{Type: "filter", Hook: "prerouting", Policy: ruleset.Accept}}
		chain.Rules = []ruleset.Rule{{Handle: 1, Exprs: []ruleset.Expr{{Name: "match", Xt: &ruleset.Xt{Name: "string", Rev: 1, Info: info, Decoded: &ruleset.XtDecoded{Written: &ruleset.XtWritten{What: ruleset.WrittenData, By: info}}}}, drop}}}
		s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: []ruleset.Table{{Family: "ip", Name: "t", Chains: []ruleset.Chain{chain}}}}
		f := New(s).Packet(parsed(t, "mgmt0", "tcp 10.10.0.9:40000 > 10.10.0.1:22 syn"))
		if told := len(f.ByTraffic) > 0; c.fate == "" && !told || c.fate != "" && (f.Fate != c.fate || told) {
			t.Errorf("%s: %+v, want %q", name, f, c.fate)
		}
	}
}
