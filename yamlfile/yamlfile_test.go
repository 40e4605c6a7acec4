package yamlfile

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

type inner struct {
	List []string `json:"list"`
	Text string   `json:"text"`
	On   bool     `json:"flag"`
	N    int      `json:"count"`
}

type outer struct {
	Some map[string]inner `json:"some"`
	Any  map[string]any   `json:"any"`
	Nets []netip.Prefix   `json:"nets"`
	One  *inner           `json:"one"`
}

func TestPlaces(t *testing.T) {
	for text, want := range map[string]string{
		"":      "",
		"# x\n": "",
		"some: {a: {list: [x], text: 5, flag: true, count: 7}}\nany: {x: [1, {y: z}]}": "",
		"one: {text: &a t}\nsome: {b: {text: *a}}":                                     "",
		"nets: [192.0.2.0/24]":           "",
		"nets: [[192.0.2.0/24]]":         `f:1:8: nets[0]: want keys with values, not a list`,
		"one: null":                      "",
		"nets: [10.0.0.0/33]":            `f:1:8: nets[0]: want an address and how many bits of it, such as 192.0.2.0/24, not "10.0.0.0/33"`,
		"one: {list: }":                  `f:1:13: one.list: it has no value: leave it out, or give it one`,
		"some:\n  a:\n    list: [~]":     `f:3:12: some.a.list[0]: it has no value: leave it out, or give it one`,
		"any: {x: , y: \"\"}":            "",
		"one:\n  text: \"\"":             `f:2:9: one.text: it is empty: leave it out, or give it a value`,
		"one: {list: [\"\"]}":            `f:1:14: one.list[0]: it is empty: leave it out, or give it a value`,
		"soem: {}":                       `f:1:1: unknown key "soem": want any, nets, one or some; did you mean some?`,
		"Some: {}":                       `f:1:1: unknown key "Some": want any, nets, one or some; did you mean some?`,
		"some:\n  a:\n    lsit: [x]":     `f:3:5: some.a: unknown key "lsit": want count, flag, list or text; did you mean list?`,
		"some:\n  a:\n    list: x":       `f:3:11: some.a.list: want a list, such as [a, b], not "x"`,
		"some:\n  a: {list: [x, [y]]}":   `f:2:17: some.a.list[1]: want a text, not a list`,
		"one: {flag: maybe}":             `f:1:13: one.flag: want true or false, not "maybe"`,
		"one: {count: many}":             `f:1:14: one.count: want a number, not "many"`,
		"one: [a]":                       `f:1:6: one: want keys with values, not a list`,
		"words":                          `f:1:1: the file: want keys with values, not "words"`,
		"one: {}\none: {}":               `f:2:1: key "one" is there already`,
		"any: {x: [{y: 1, z: 2, y: 3}]}": `f:1:24: key "y" is there already`,
		"one: [":                         `f:1:6: did not find expected node content`,
		"one:\n\tx: 1":                   `f:2:1: found character that cannot start any token`,
		"one:\n  list: [a\n  text: b\n":  "f:2:10: did not find expected ',' or ']'",
		"one:\n  text: a\n\t b\n":        "f:3:1: found a tab character that violates indentation",
		"one:\n  text: a: b\n":           "f:2:10: mapping values are not allowed in this context",
		"any: {é: \"x\\q\"}":             `f:1:12: found unknown escape character`,
		"one: {}\nsome: 'a\n\n":          "f:2:7: found unexpected end of stream",
		"any: {x: *b}":                   `f:1:11: unknown anchor 'b' referenced`,
		"one: {}\n---\na: [\n":           `f:3:4: did not find expected node content`,
		"one: {}\n---\none: {}":          `f:2:1: more than one document`,
	} {
		var v outer
		err := Unmarshal("f", []byte(text), &v)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var v outer
	if err := Unmarshal("f", []byte("some: {a: {list: [x], text: 5, flag: true, count: 7}}"), &v); err != nil || v.Some["a"].N != 7 || v.Some["a"].Text != "5" {
		t.Errorf("%+v %v", v, err)
	}
}

// TestLocate: an error about a value has the line of its key, or of the last one on the way that is there.
func TestLocate(t *testing.T) {
	const text = "zones:\n  a: {}\nflows:\n  - {from: x}\n  - from: y\n    to: *z\nlast: 1\nchecks: {severity: {k: l}}\n"
	why := errors.New("why")
	for _, c := range []struct {
		err  error
		want string
	}{
		{At(why, "zones", "a"), "f:2:3: zones.a: why"},
		{At(why, "flows", 0), "f:4:5: flows[0]: why"},
		{At(why, "checks", "severity", "k"), "f:8:21: checks.severity.k: why"},
		{At(fmt.Errorf("more: %w", At(why, "from")), "flows", 0), "f:4:6: flows[0]: more: from: why"},
		{At(why, "flows", 7), "f:3:1: flows[7]: why"},
		{At(why, "zones", "b"), "f:1:1: zones.b: why"},
		{At(why, "last", 3), "f:7:1: last[3]: why"},
		{why, "f: why"},
		{At(nil, "a"), ""},
	} {
		got := ""
		if err := Locate("f", []byte(strings.Replace(text, "*z", "z", 1)), c.err); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if err := Locate("f", []byte(text), At(why, "flows", 0)); err == nil || err.Error() != "f: flows[0]: why" {
		t.Errorf("a text that is none: %v", err)
	}
}
