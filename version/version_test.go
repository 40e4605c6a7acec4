package version

import (
	"strings"
	"testing"
)

// TestTextTellsWhatIsKnown: a build without a commit has no line for it, and one of changed source says so.
func TestTextTellsWhatIsKnown(t *testing.T) {
	i := Info{Version: "1.2.3", Go: "go1.26", Platform: "linux/arm64", Policies: "sha256:ab"}
	if got, want := i.Text(), "ringfence 1.2.3\nbuilt     go1.26, linux/arm64\npolicies  sha256:ab\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	i.Commit, i.Date, i.Modified = "0123abcd", "2026-11-27T10:00:00Z", true
	if got := i.Text(); !strings.Contains(got, "\ncommit    0123abcd, 2026-11-27T10:00:00Z, modified\n") {
		t.Error(got)
	}
}

// TestReleaseNamesItself: what the linker sets is the version, whatever the Go tool recorded.
func TestReleaseNamesItself(t *testing.T) {
	old := release
	t.Cleanup(func() { release = old })
	release = "9.8.7"
	if i := Read("sha256:cd"); i.Version != "9.8.7" || i.Policies != "sha256:cd" || !strings.Contains(i.Platform, "/") {
		t.Errorf("%+v", i)
	}
}
