package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/version"
	"github.com/ringfence/ringfence/winhost"
)

// From makes a snapshot of what was written down of another host: windows:DIR. Files in it that tell nothing are said, with the reason.
func From(from string, say func(format string, args ...any)) (*snapshot.Snapshot, error) {
	kind, dir, ok := strings.Cut(from, ":")
	if !ok || kind != "windows" || dir == "" {
		return nil, fmt.Errorf("from %q: want windows:DIR (hives, .reg, .wfw, registry.pol, netsh wfp show state, JSON of PowerShell)", from)
	}
	open, err := host.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", dir, err)
	}
	defer host.CloseAll(open)
	files, err := windowsFiles(dir, open)
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", dir, err)
	}
	source, ignored, err := winhost.FromFiles(files)
	for _, name := range ignored {
		say("ringfence: not read: %s\n", escape.Line(name))
	}
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", dir, err)
	}
	return source.Snapshot(snapshot.Tool{Name: "ringfence", Version: version.String()}, winhost.Newest(files)), nil
}

// FromFiles are the files that From reads, behind others.
func FromFiles(from string, others []string) []string {
	_, dir, _ := strings.Cut(from, ":")
	if dir == "" {
		return others
	}
	files, _ := host.Named(dir, func(string) bool { return true }) // what is wrong with it is told when it is read
	return append(others, files...)
}

func windowsFiles(dir string, open []*os.File) ([]winhost.File, error) {
	files := make([]winhost.File, 0, len(open))
	for _, f := range open {
		st, err := f.Stat()
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(dir, f.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, winhost.File{Name: filepath.ToSlash(name), Size: st.Size(), Time: st.ModTime(), ReaderAt: f})
	}
	return files, nil
}
