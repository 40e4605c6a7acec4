package snapshot

import (
	"encoding/json"
	"testing"
)

// TestNamesOfSockets: a socket has a path, or a name without a file, which its permits have too; no other file has one.
func TestNamesOfSockets(t *testing.T) {
	for text, want := range map[string]bool{
		`{"path": "@a", "kind": "socket", "trigger": "none", "permits": [{"who": "all", "at": "@a"}]}`:    true,
		`{"path": "/run/a", "kind": "socket", "trigger": "none"}`:                                         true,
		`{"path": "@a", "kind": "program", "trigger": "none", "permits": [{"who": "all", "at": "@a"}]}`:   false,
		`{"path": "@a", "kind": "socket", "trigger": "none", "permits": [{"who": "all", "at": "@b"}]}`:    false,
		`{"path": "/run/a", "kind": "socket", "trigger": "none", "permits": [{"who": "all", "at": "@"}]}`: false,
	} {
		s := new(Snapshot)
		s.Powers.Files = make([]LeverFile, 1)
		if err := json.Unmarshal([]byte(text), &s.Powers.Files[0]); err != nil {
			t.Fatal(err)
		}
		if err := s.checkPowers(); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
