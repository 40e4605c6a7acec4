package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/words"
)

// minShort is how many characters of a fingerprint are enough to name a finding, if no other begins with them.
const minShort = 6

// Explain is everything that a report knows about one check, or about one finding by its fingerprint or the beginning of it, in lines of so many
// columns; 0 leaves them as they are. What is typed or put into a file is never broken.
func Explain(r *finding.Report, which string, columns int) (string, error) {
	var ids []string
	var of *finding.Result
	var found []*finding.Finding
	for i := range r.Results {
		res := &r.Results[i]
		ids = append(ids, res.ID)
		if res.ID == which {
			return explanation(r, res, nil, columns), nil
		}
		for j := range res.Findings {
			if len(which) >= minShort && strings.HasPrefix(res.Findings[j].Fingerprint, which) {
				of, found = res, append(found, &res.Findings[j])
			}
		}
	}
	switch len(found) {
	case 1:
		return explanation(r, of, found[0], columns), nil
	case 0:
	default:
		return "", fmt.Errorf("%d findings begin with %q: give more of the fingerprint", len(found), which)
	}
	if flag := madeBy[strings.SplitN(which, "/", 2)[0]]; flag != "" {
		return "", fmt.Errorf("no check and no finding %q: audit %s FILE makes it; write the report with -f json, and explain it with --report", which, flag)
	}
	inside := strings.TrimSuffix(strings.ToLower(which), "/") + "/"
	if i := slices.IndexFunc(ids, func(id string) bool { return strings.HasPrefix(id, inside) }); i >= 0 {
		return "", fmt.Errorf("no check and no finding %q: it is an area, and %s a check of it: checks list names all", which, ids[i])
	}
	if near := words.Nearest(which, ids); near != "" {
		return "", fmt.Errorf("no check and no finding %q: did you mean %s?", which, near)
	}
	return "", fmt.Errorf("no check and no finding %q: checks list names the checks, audit -f json has the fingerprints", which)
}

// madeBy are the flags of audit that make results of an area of their own.
var madeBy = map[string]string{"model": "--model", "waiver": "--waivers", "assumption": "--assumptions"}

func explanation(r *finding.Report, res *finding.Result, only *finding.Finding, columns int) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(Folded(fmt.Sprintf(format+"\n", args...), columns)) }
	whole := func(text string) { b.WriteString(text + "\n") }
	line("%s (%s): %s", res.ID, res.Severity, strings.ReplaceAll(res.Status, "_", " "))
	line("%s\n\n%s", oneLine(res.Title), Clean(strings.TrimSpace(res.Description), true))
	if res.Reason != "" {
		line("\nwhy: %s", oneLine(res.Reason))
	}
	for i := range res.Findings {
		if only == nil || only == &res.Findings[i] {
			explainFinding(line, whole, r, &res.Findings[i])
		}
	}
	for _, u := range res.Unknowns {
		line("\nunknown: %s: %s", oneLine(u.Resource.Key), oneLine(u.Reason))
	}
	line("\nin general: %s", Clean(strings.TrimSpace(res.Remediation), true))
	for _, l := range []struct {
		name string
		list []string
	}{
		{"CIS", res.References.CIS},
		{"NIST 800-53", res.References.NIST},
		{"ATT&CK", res.References.ATTACK},
		{"CWE", res.References.CWE},
		{"CVE", res.References.CVE},
		{"see", res.References.URLs},
	} {
		if len(l.list) > 0 {
			line("%s: %s", l.name, oneLine(strings.Join(l.list, ", ")))
		}
	}
	return b.String()
}

func explainFinding(line func(string, ...any), whole func(string), r *finding.Report, f *finding.Finding) {
	line("\n%s: %s", f.Severity, oneLine(f.Message))
	line("  about: %s %s", oneLine(f.Resource.Kind), oneLine(f.Resource.Key))
	if zones := f.Zones; len(zones) > 0 || f.Zone != "" {
		if len(zones) == 0 {
			zones = []string{f.Zone}
		}
		line("  zones: %s", oneLine(strings.Join(zones, ", ")))
	}
	for _, e := range f.Evidence {
		line("  seen: %s", oneLine(e))
	}
	if f.Witness != "" {
		line("  packet: %s", oneLine(f.Witness))
	}
	for _, c := range f.Conditions {
		line("  if: %s", oneLine(c.String()))
	}
	if len(f.Steps) > 0 {
		line("  path: %s", oneLine(strings.Join(f.Steps, " -> ")))
	}
	if f.Waiver != nil {
		line("  waived: %s", oneLine(f.Waiver.String()))
	}
	for _, a := range r.Actions {
		for _, id := range a.Closes {
			if id == f.Fingerprint && a.Command != "" {
				line("  closed by (%s):", oneLine(a.Text))
				whole(oneLine(a.Command))
			}
		}
	}
	for _, m := range f.Remediation {
		line("  remedy (%s):", oneLine(m.Kind))
		if text := Clean(strings.TrimSpace(m.Text), true); m.Kind == "command" || strings.Contains(text, "\n") {
			whole(text)
		} else {
			line("%s", text)
		}
	}
	line("  fingerprint: %s", f.Fingerprint)
}
