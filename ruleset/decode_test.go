package ruleset

import (
	"encoding/json"
	"reflect"
	"testing"
)

func attrBytes(kind uint16, data []byte) []byte {
	n := 4 + len(data)
	b := append([]byte{byte(n), byte(n >> 8), byte(kind), byte(kind >> 8)}, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func nested(kind uint16, parts ...[]byte) []byte {
	var data []byte
	for _, p := range parts {
		data = append(data, p...)
	}
	return attrBytes(kind|0x8000, data)
}

func ruleMessage(exprs ...[]byte) []byte {
	var list []byte
	for _, e := range exprs {
		list = append(list, e...)
	}
	return append(append(attrBytes(1, []byte("t\x00")), attrBytes(2, []byte("c\x00"))...),
		nested(4, list)...)
}

func exprMessage(name string, data ...[]byte) []byte {
	return nested(1, attrBytes(1, append([]byte(name), 0)), nested(2, data...))
}

// TestUnknownExpressionsAreKept: a name that nobody knows, and an attribute that a newer kernel
// might add to a known one, both keep their bytes.
func TestUnknownExpressionsAreKept(t *testing.T) {
	b := ruleMessage(
		exprMessage("teleport", attrBytes(1, []byte{1, 2, 3, 4})),
		exprMessage("meta", attrBytes(1, []byte{0, 0, 0, 1}), attrBytes(2, []byte{0, 0, 0, 4}), attrBytes(9, []byte{7})),
		exprMessage("meta", attrBytes(1, []byte{0, 0, 0, 1}), attrBytes(2, []byte{0, 0, 0, 4})),
	)
	_, _, rule, err := DecodeRule(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(rule.Exprs) != 3 || !rule.Exprs[0].Opaque() || !rule.Exprs[1].Opaque() || rule.Exprs[2].Opaque() {
		t.Fatalf("got %+v", rule.Exprs)
	}
	if n, err := CountExprs(b); err != nil || n != 3 {
		t.Errorf("counted %d, %v", n, err)
	}
	j, err := json.Marshal(rule)
	if err != nil {
		t.Fatal(err)
	}
	var back Rule
	if err := json.Unmarshal(j, &back); err != nil || !reflect.DeepEqual(rule, back) {
		t.Errorf("JSON round trip: %v\n%+v\n%+v", err, rule, back)
	}
}

// TestMalformedUserData: the author of a ruleset in some namespace can write anything there.
func TestMalformedUserData(t *testing.T) {
	for _, b := range [][]byte{{}, {0}, {0, 200, 'x'}, {7, 1}, {1, 0, 0, 250, 1}} {
		if c := comment(b); c != "" {
			t.Errorf("comment(%v) = %q", b, c)
		}
	}
	if c := comment([]byte{1, 1, 9, 0, 3, 'h', 'i', 0}); c != "hi" {
		t.Errorf("comment = %q", c)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(ruleMessage(exprMessage("cmp", attrBytes(1, []byte{0, 0, 0, 1}))))
	f.Add([]byte{4, 0, 1, 0, 255, 255, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		tab := &Table{Family: FamilyInet}
		if _, _, r, err := DecodeRule(b); err == nil {
			n, err := CountExprs(b)
			if err != nil || n != len(r.Exprs) {
				t.Errorf("%d expressions of %d (%v)", len(r.Exprs), n, err)
			}
			_ = r.Text(tab)
		}
		_, _ = DecodeTable(1, b)
		_, _, _ = DecodeChain(1, b)
		_, _, _ = DecodeSet(b)
		_, _ = DecodeElements(b)
		_, _, _ = DecodeFlowtable(b)
		for _, name := range []string{"tcp", "udp", "conntrack", "multiport", "addrtype", "mark", "icmp", "state"} {
			for rev := range uint32(4) {
				x := Xt{Name: name, Rev: rev, Info: b}
				x.decode()
			}
		}
		for _, name := range []string{"DNAT", "REDIRECT", "MARK", "SNAT"} {
			x := Xt{Target: true, Name: name, Rev: 2, Info: b}
			x.decode()
		}
	})
}

func BenchmarkDecodeRule(b *testing.B) {
	msg := ruleMessage(
		exprMessage("meta", attrBytes(1, []byte{0, 0, 0, 1}), attrBytes(2, []byte{0, 0, 0, 16})),
		exprMessage("cmp", attrBytes(1, []byte{0, 0, 0, 1}), attrBytes(2, []byte{0, 0, 0, 0}), nested(3, attrBytes(1, []byte{6}))),
		exprMessage("counter"),
		exprMessage("immediate", attrBytes(1, []byte{0, 0, 0, 0}), nested(2, nested(2, attrBytes(1, []byte{0, 0, 0, 1})))),
	)
	for b.Loop() {
		if _, _, _, err := DecodeRule(msg); err != nil {
			b.Fatal(err)
		}
	}
}
