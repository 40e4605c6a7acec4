package judge

import (
	"fmt"
	"strings"
)

// Explain is what the metadata of a check says, for a person.
func (c *Check) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n%s\n\n%s\n\nfix: %s\nreads: %s\n", c.ID, c.Severity, c.Title,
		strings.TrimSpace(c.Description), strings.TrimSpace(c.Remediation), strings.Join(c.Reads, ", "))
	for _, name := range sorted(c.Params) {
		fmt.Fprintf(&b, "params.%s: %s\n", name, c.Params[name].explain())
	}
	for _, r := range []struct {
		name string
		list []string
	}{
		{"CIS", c.References.CIS},
		{"NIST 800-53", c.References.NIST},
		{"ATT&CK", c.References.ATTACK},
		{"CWE", c.References.CWE},
		{"CVE", c.References.CVE},
	} {
		if len(r.list) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", r.name, strings.Join(r.list, ", "))
		}
	}
	return b.String()
}

// Explain tells what is known about one check.
func (p *Policies) Explain(id string) (string, error) {
	for i := range p.Checks {
		if p.Checks[i].ID == id {
			return p.Checks[i].Explain(), nil
		}
	}
	return "", p.NoCheck(id)
}
