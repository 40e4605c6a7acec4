package reports

import (
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// DiffText is what changed, for a person: the worst first, with the witness where there is one.
func DiffText(d *finding.Diff) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s to %s\n", oneLine(d.Host.Name), oneLine(d.Old.CollectedAt), oneLine(d.New.CollectedAt))
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note: %s\n", oneLine(n))
	}
	class := ""
	for _, c := range d.Changes {
		if c.Class != class {
			class = c.Class
			fmt.Fprintf(&b, "%s\n", strings.ToUpper(class))
		}
		b.WriteString("  " + oneLine(c.Message))
		if c.Severity != "" {
			fmt.Fprintf(&b, " (%s %s)", c.Severity, oneLine(c.Check))
		} else if c.Check != "" {
			fmt.Fprintf(&b, " (%s)", oneLine(c.Check))
		}
		b.WriteByte('\n')
		if c.Witness != "" {
			fmt.Fprintf(&b, "    %s\n", oneLine(c.Witness))
		}
	}
	if len(d.Changes) == 0 {
		b.WriteString("nothing changed\n")
	}
	fmt.Fprintf(&b, "%s unchanged\n", count(d.Unchanged, "finding"))
	return b.String()
}
