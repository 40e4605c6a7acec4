package audit

import (
	"slices"
	"testing"
)

// TestCompletions: what help calls a check or a zone is offered, and of what only the host knows nothing is.
func TestCompletions(t *testing.T) {
	for name, want := range map[string]string{"check": "ssh/password-authentication", "ID": "host/not-immutable", "zone": "workload"} {
		if list := Completions(name); !slices.Contains(list, want) {
			t.Errorf("%s: %v", name, list)
		}
	}
	if list := Completions("principal"); list != nil {
		t.Errorf("%v", list)
	}
}
