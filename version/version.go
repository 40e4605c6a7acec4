// Package version says which build of ringfence this is, as the Go tool and the linker recorded it.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// release is set by the linker for a release (make release).
var release = ""

// Info is which build this is. What was not recorded is "".
type Info struct {
	Version  string `json:"version"`            // of the release, or what the Go tool made of the commit
	Commit   string `json:"commit,omitempty"`   // of the source
	Date     string `json:"date,omitempty"`     // of the commit (RFC 3339, UTC)
	Modified bool   `json:"modified,omitempty"` // the source was not quite that of the commit
	Go       string `json:"go"`                 // the toolchain
	Platform string `json:"platform"`           // GOOS/GOARCH
	Policies string `json:"policies"`           // digest of the policies and data that are built in
}

// Read is this build. The digest of the policies is given by the caller, who has them.
func Read(policies string) Info {
	i := Info{Version: String(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Policies: policies}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return i
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Commit = s.Value
		case "vcs.time":
			i.Date = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}

// String is the version alone: of the release, or what the Go tool recorded; "0.0.0-dev" where it recorded none.
func String() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "0.0.0-dev"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

// Text is the build for a person, a line for each thing that is known.
func (i Info) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ringfence %s\n", i.Version)
	if i.Commit != "" {
		state := ""
		if i.Modified {
			state = ", modified"
		}
		fmt.Fprintf(&b, "commit    %s, %s%s\n", i.Commit, i.Date, state)
	}
	fmt.Fprintf(&b, "built     %s, %s\npolicies  %s\n", i.Go, i.Platform, i.Policies)
	return b.String()
}
