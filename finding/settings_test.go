package finding

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestSettings: a policy gives a list or an object, and what is written is a list again.
func TestSettings(t *testing.T) {
	ab := Settings{{"a", "1"}, {"b", "no and yes"}}
	for text, want := range map[string]Settings{
		`[{"name":"a","value":"1"},{"name":"b","value":"no and yes"}]`: ab,
		`{"b":"no and yes","a":1}`:                                     ab,
		`[{"name":"b","value":"2"},{"name":"a","value":"1"}]`:          {{"b", "2"}, {"a", "1"}},
		`{"a":9007199254740993}`:                                       {{"a", "9007199254740993"}},
		`null`:                                                         nil,
	} {
		var got Settings
		if err := json.Unmarshal([]byte(text), &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
		b, err := json.Marshal(got)
		var again Settings
		if err == nil {
			err = json.Unmarshal(b, &again)
		}
		if err != nil || !slices.Equal(again, want) {
			t.Errorf("%s again: %v %v", b, again, err)
		}
	}
	for _, text := range []string{`"a = 1"`, `{"a":true}`, `{"a":["1"]}`, `[{"name":"a","value":1}]`, `[["a","1"]]`, `7`} {
		if err := json.Unmarshal([]byte(text), new(Settings)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if got := ab.Text("sysctl"); got != "a = 1\nb = no and yes" {
		t.Errorf("%q", got)
	}
	if got := ab.Text("sshd"); got != "a 1\nb no and yes" {
		t.Errorf("%q", got)
	}
	b, err := json.Marshal(Remediation{Kind: "words", Text: "x"})
	if err != nil || string(b) != `{"kind":"words","text":"x"}` {
		t.Errorf("without settings it is %s %v", b, err)
	}
}
