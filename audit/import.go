package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// maxImports bounds the reports that one audit imports.
const maxImports = 100

// ParseImports reads the values of --import: TOOL=FILE. A file that is not there is refused if nobody else can have taken it away.
func ParseImports(list []string) (files []string, err error) {
	if len(list) > maxImports {
		return nil, fmt.Errorf("import: more than %d files", maxImports)
	}
	for _, v := range list {
		tool, file, ok := strings.Cut(v, "=")
		if !ok || tool != "openclaw" || file == "" {
			return nil, fmt.Errorf("import %q: want openclaw=FILE (what openclaw security audit --json wrote)", v)
		}
		files = append(files, file)
	}
	return files, mistyped(files)
}

// mistyped is the error of a file that is not there, in a directory in which only root and the caller make and remove files: nobody else took it
// away, so it is the call that is wrong.
func mistyped(files []string) error {
	for _, file := range files {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		dir, err := host.Trusted(filepath.Dir(file))
		if err == nil {
			_ = dir.Close()
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("import: %s: %w", file, fs.ErrNotExist)
		}
	}
	return nil
}

// AddImports reads reports of other tools into a snapshot. A file that cannot be read, or is no report, is a gap of that report: whoever can
// write it does not end the audit.
func AddImports(s *snapshot.Snapshot, files []string) {
	for _, file := range files {
		text, word, err := readImported(file)
		var a *snapshot.OpenClawAudit
		if err == nil {
			a, err = snapshot.ReadOpenClawAudit(text)
		}
		read := snapshot.Fact{State: snapshot.Present, Value: "report"}
		if err != nil {
			a, read = new(snapshot.OpenClawAudit), snapshot.Fact{State: snapshot.Error, Reason: plainCause(err).Error()}
		}
		a.File, a.Word, a.Read = file, word, read
		s.Agents.Audits = append(s.Agents.Audits, *a)
	}
}

// plainCause is an error without the path that it is about.
func plainCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
