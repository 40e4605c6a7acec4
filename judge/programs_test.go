package judge

import "testing"

// TestProgramsWithoutAFile: what a runtime becomes for a moment, and what an update replaced, has nothing to tell.
func TestProgramsWithoutAFile(t *testing.T) {
	for exe, want := range map[string]string{
		"/memfd:x (deleted)":                                "memory",
		"/memfd:runc_cloned:/proc/self/exe (deleted)":       "",
		"/dev/shm/.x (deleted)":                             "removed",
		"/tmp/a (deleted)":                                  "removed",
		"/run/user/1000/a (deleted)":                        "removed",
		"/usr/sbin/nginx (deleted)":                         "",
		"/home/me/.local/share/claude/versions/2 (deleted)": "",
		"/tmp/a": "",
		"":       "",
	} {
		if got := lacksFile(exe); got != want {
			t.Errorf("%s: got %q, want %q", exe, got, want)
		}
	}
}
