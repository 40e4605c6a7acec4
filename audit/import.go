package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// maxImports bounds the reports that one audit imports.
const maxImports = 100

// ParseImports reads the values of --import: TOOL=FILE.
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
	return files, nil
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
