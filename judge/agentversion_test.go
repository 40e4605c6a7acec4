package judge

import "testing"

// TestVersionsOfAgents: years and months are numbers, builds come after, betas before.
func TestVersionsOfAgents(t *testing.T) {
	for _, c := range []struct{ runtime, version, floor, want string }{
		{"openclaw", "2026.10.1", "2026.9.36", stateFixed},
		{"openclaw", "2026.9.36", "2026.10.1", stateUnknown}, // a line that is repaired beside
		{"openclaw", "2026.9.6", "2026.9.7", stateBelow},
		{"openclaw", "2026.6.34", "2026.4.10", stateFixed},
		{"openclaw", "2026.3.13-1", "2026.3.13", stateFixed},
		{"openclaw", "2026.4.8-beta.2", "2026.4.8", stateBelow},
		{"hermes", "0.22.2", "2026.4.16", stateBelow},
		{"codex", "0.171.0", "0.39.0", stateFixed},
		{"codex", "", "0.39.0", stateUnknown},
		{"claude-code", "v2.1.332", "2.1.128", stateFixed},
		{"x", "1.0", "", stateFixed},
	} {
		if got := agentState(c.runtime, c.version, c.floor); got != c.want {
			t.Errorf("%s %q above %q: %s, want %s", c.runtime, c.version, c.floor, got, c.want)
		}
	}
}
