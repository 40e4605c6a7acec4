package threatmodel

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/finding"
)

// likelihoods and impacts are those of TM-BOM, from low to high.
var (
	likelihoods = []string{"rare", "unlikely", "possible", "likely", "certain"}
	impacts     = []string{"negligible", "minor", "moderate", "major", "severe"}
)

// impactOf is the impact of a severity, from 1 to 5.
func impactOf(severity string) int { return 5 - min(finding.Rank(severity), 4) }

// likelihoodOf is how likely it is that a finding is used, from 1 to 5: certain if somebody gets there and is asked for nothing, likely if they are asked
// for something, possible if nothing shows that they get there.
func (m *Model) likelihoodOf(n *Node, f *finding.Finding) int {
	shown := f.Witness != "" || len(f.Steps) > 0
	switch auth := m.auth(n); {
	case !shown:
		return 3
	case len(auth) > 0 && !slices.Contains(auth, finding.AuthNone):
		return 4
	default:
		return 5
	}
}

// levelOf is the band of a score, which is likelihood times impact.
func levelOf(score int) string {
	switch {
	case score <= 2:
		return "very_low"
	case score <= 4:
		return "low"
	case score <= 9:
		return "medium"
	case score <= 12:
		return "high"
	case score <= 16:
		return "very_high"
	default:
		return "critical"
	}
}

// persona is who would use a finding.
func persona(n *Node, f *finding.Finding) string {
	switch {
	case slices.Contains(f.AllZones(), External):
		return "outsider"
	case n.Zone == Workload || slices.Contains(f.AllZones(), Workload):
		return "workload"
	default:
		return "neighbour"
	}
}

// weaknesses are the numbers of CWE of a check.
func weaknesses(r *finding.Result) (list []int) {
	for _, s := range r.References.CWE {
		if n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(s), "CWE-")); err == nil && n > 0 {
			list = append(list, n)
		}
	}
	return list
}

// statusOf is the state of a check as a control, "" if it says nothing about the host.
func statusOf(r *finding.Result) string {
	switch r.Status {
	case finding.Pass:
		return "active"
	case finding.Fail:
		return "suggested"
	case finding.Waived:
		return "wont_do"
	case finding.NotApplicable:
		return ""
	default:
		return "assumed" // it could not be decided
	}
}

// evidence is how a finding is known, in one text.
func evidence(f *finding.Finding) string {
	parts := slices.Clone(f.Evidence[:min(len(f.Evidence), maxReasons)])
	if f.Witness != "" && !slices.ContainsFunc(parts, func(e string) bool { return strings.Contains(e, f.Witness) }) {
		parts = append(parts, f.Witness)
	}
	return strings.Join(append(parts, f.Steps...), "; ")
}
