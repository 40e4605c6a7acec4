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
	for _, c := range inSameWords(d.Changes) {
		if c.Class != class {
			class = c.Class
			fmt.Fprintf(&b, "%s\n", strings.ToUpper(class))
		}
		b.WriteString("  " + oneLine(c.Message))
		if c.Severity != "" {
			fmt.Fprintf(&b, " (%s %s)", c.Severity, oneLine(c.Check))
		} else if c.Check != "" && len(c.checks) == 1 {
			fmt.Fprintf(&b, " (%s)", oneLine(c.Check))
		}
		b.WriteByte('\n')
		if len(c.checks) > 1 {
			fmt.Fprintf(&b, "    %s: %s\n", count(len(c.checks), "check"), oneLine(strings.Join(c.checks, ", ")))
		}
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

// told is a change, and the checks that it is the same of.
type told struct {
	*finding.Change
	checks []string
}

// inSameWords has what is said of several checks in the same words once, where it is first: what was not seen is missing to many.
func inSameWords(list []finding.Change) (out []told) {
	at := map[[2]string]int{}
	for i := range list {
		c := &list[i]
		same := [2]string{c.Class, c.Message}
		j, again := at[same]
		if again && c.Severity == "" && c.Witness == "" && c.Check != "" && out[j].Severity == "" && out[j].Witness == "" && out[j].Check != "" {
			out[j].checks = append(out[j].checks, c.Check)
			continue
		}
		at[same] = len(out)
		out = append(out, told{c, []string{c.Check}})
	}
	return out
}
