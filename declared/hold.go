package declared

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// The checks of a model.
const (
	undeclared = "model/undeclared-flow"
	impossible = "model/impossible-flow"
	differs    = "model/zone-differs"
)

// IDs are the ids of the results that a model makes.
var IDs = []string{impossible, undeclared, differs}

// begun are the results before anything was compared.
func begun() map[string]*finding.Result {
	out := map[string]*finding.Result{}
	for _, r := range []finding.Result{
		{
			ID: undeclared, Severity: "high", Title: "A flow crosses a boundary and is not in the model",
			Description: "The host lets packets over a boundary of zones, and nobody declared that it does: the model tells less than there is.",
			Remediation: "Close it, or declare it in the model with its reason.", References: finding.References{NIST: []string{"AC-4", "SA-11(2)"}},
		},
		{
			ID: impossible, Severity: "low", Title: "A flow of the model is impossible",
			Description: "The model declares a flow that the host does not let pass: what it is for does not work, or is no longer there.",
			Remediation: "Take it out of the model, or let it pass.", References: finding.References{NIST: []string{"AC-4", "SA-11(2)"}},
		},
		{
			ID: differs, Severity: "medium", Title: "An interface is in another zone than the model has it",
			Description: "Boundaries are between zones, and an interface that is in another one than people think moves them.",
			Remediation: "Put the interface into its zone by the configuration (zones), or mend the model.", References: finding.References{NIST: []string{"SA-11(2)", "CM-8"}},
		},
	} {
		r.Status = finding.Pass
		out[r.ID] = &r
	}
	return out
}

// real is a flow of the host over a boundary, with all answers about it.
type real struct {
	key     string
	from    string
	to      string
	service *finding.Service // nil if it is forwarded
	any     answer
}

// answer is what is known of a flow by all interfaces and both families: reachable if one is.
type answer struct {
	verdict string
	by      []string // of the verdict: interface and family
	witness string
	if_     []finding.Condition
	stopped []string
	because []string
}

// The order in which verdicts of parts decide.
var weight = map[string]int{"unreachable": 1, "unknown": 2, "reachable": 3}

// join adds an answer of one interface and family.
func (a *answer) join(verdict, by, witness string, hangs []finding.Condition, stopped, because []finding.Cause) {
	if weight[verdict] > weight[a.verdict] {
		*a = answer{verdict: verdict}
	}
	if verdict != a.verdict {
		return
	}
	a.by = append(a.by, by)
	if a.witness == "" {
		a.witness, a.if_ = witness, hangs
	}
	a.stopped, a.because = texts(a.stopped, stopped), texts(a.because, because)
}

// maxTexts bounds what is told of why.
const maxTexts = 8

func texts(list []string, causes []finding.Cause) []string {
	for _, c := range causes {
		if s := strings.TrimSpace(c.Where + " " + c.Text); len(list) < maxTexts && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// zoneOf is the zone of a service: what is in a network of its own is a workload.
func zoneOf(s *finding.Service) string {
	if s.Namespace == "" || s.Namespace == "host" {
		return "host"
	}
	return "workload"
}

// over is a zone as the model knows it: what no rule put into one counts as outside.
func over(zone string) string {
	if zone == "unclassified" {
		return "external"
	}
	return zone
}

// flows are the flows of a report over boundaries, in their order there.
func flows(r *finding.Report) []*real {
	var list []*real
	at := map[string]*real{}
	of := func(key, from, to string, s *finding.Service) *real {
		if at[key] == nil {
			at[key] = &real{key: key, from: from, to: to, service: s}
			list = append(list, at[key])
		}
		return at[key]
	}
	for e := range r.EachExposure() {
		from, to := over(e.Zone), zoneOf(&e.Service)
		if from == to {
			continue
		}
		f := of(from+" -> "+e.Service.Key(), from, to, &e.Service)
		f.any.join(e.Verdict, strings.TrimSpace(e.Origin+" "+e.Family), e.Witness, e.Conditions, e.StoppedBy, e.Because)
	}
	for w := range r.EachForward() {
		if from, to := over(w.FromZone), over(w.ToZone); from != to && from != "" && to != "" {
			f := of(from+" -> "+to, from, to, nil)
			f.any.join(w.Verdict, fmt.Sprintf("%s to %s %s", w.From, w.To, w.Family), w.Witness, w.Conditions, w.StoppedBy, w.Because)
		}
	}
	return list
}

// of are the declared flows that are about a real one.
func (m *Model) of(w *real) (list []*Flow) {
	about := []way{{from: w.from, to: w.to, port: anything}, {from: w.from, to: w.to, port: forwarded}}
	if w.service != nil {
		about[1].port = w.service.Port
		about = append(about, way{from: w.from, to: w.to, port: ports}, way{from: w.from, key: escape.Text(w.service.Key(), false)})
	}
	for _, way := range about {
		for _, f := range m.about[way] {
			if f.whatever || f.key != "" || f.has(w.service) {
				list = append(list, f)
			}
		}
	}
	return list
}

// has says whether a declared flow is about a service; nil is what is forwarded.
func (f *Flow) has(s *finding.Service) bool {
	if s == nil {
		return f.Service == ""
	}
	return f.proto == s.Proto && f.low <= s.Port && s.Port <= f.high && (f.Owner == "" || f.Owner == s.Owner) &&
		(f.Address == "" || f.Address == s.Address) && (f.In == "" || f.In == s.Namespace)
}

// Hold holds a model against a report. Missed is why flows were not seen whole, and links why interfaces were not; "" if they were: then nothing that was
// not found is a pass, or impossible.
func (m *Model) Hold(r *finding.Report, missed, links string) []finding.Result {
	out := begun()
	all := flows(r)
	known := m.real(all, out[undeclared])
	m.possible(r, known, missed, out[impossible])
	m.zones(r, links, out[differs])
	return []finding.Result{*settled(out[impossible], missed), *settled(out[undeclared], missed), *settled(out[differs], links)}
}

// settled is the status of a result by what it found and left open.
func settled(res *finding.Result, missed string) *finding.Result {
	switch {
	case len(res.Findings) > 0:
		res.Status = finding.Fail
		worst := len(finding.Severities)
		for i := range res.Findings {
			f := &res.Findings[i]
			f.Fingerprint = finding.Fingerprint(res.ID, f.Resource)
			if n := finding.Rank(f.Severity); n < worst {
				worst, res.Severity = n, f.Severity
			}
		}
		if missed != "" {
			res.Reason = "there can be more: " + missed
		}
	case len(res.Unknowns) > 0:
		res.Status = finding.Unknown
		res.Reason = res.Unknowns[0].Resource.Key + ": " + res.Unknowns[0].Reason
		if n := len(res.Unknowns) - 1; n > 0 {
			res.Reason += fmt.Sprintf(" (and %d more)", n)
		}
	case missed != "" && res.Status == finding.Pass:
		res.Status, res.Reason = finding.Unknown, missed
	}
	return res
}

// Unheld are the results of a model where nothing was judged, for a reason.
func Unheld(reason string) (list []finding.Result) {
	out := begun()
	for _, id := range IDs {
		out[id].Status, out[id].Reason = finding.Unknown, reason
		list = append(list, *out[id])
	}
	return list
}

func resource(key string) finding.Resource { return finding.Resource{Kind: "flow", Key: key} }

// real finds the flows that nobody declared. It is what is known of those that somebody did.
func (m *Model) real(all []*real, res *finding.Result) map[*Flow]*answer {
	known := map[*Flow]*answer{}
	for _, w := range all {
		declared := m.of(w)
		for _, f := range declared {
			if known[f] == nil {
				known[f] = new(answer)
			}
			known[f].add(&w.any)
		}
		if w.any.verdict == "unreachable" || len(declared) > 0 {
			continue
		}
		if w.any.verdict != "reachable" {
			res.Unknowns = append(res.Unknowns, finding.Unclear{
				Resource: resource(w.key), Reason: "it is not declared, and whether it is possible is not known: " + strings.Join(w.any.because, "; "),
			})
			continue
		}
		f := finding.Finding{
			Resource: resource(w.key), Zone: w.from, Witness: w.any.witness, Conditions: w.any.if_, Severity: "medium",
			Message:     w.key + " is possible, and not in the model",
			Evidence:    []string{"possible by " + strings.Join(w.any.by[:min(len(w.any.by), maxTexts)], ", ")},
			Remediation: []finding.Remediation{{Kind: "words", Text: "close it, or declare it with its reason: " + w.declaration("")}},
		}
		if w.any.witness != "" {
			f.Evidence = append(f.Evidence, w.any.witness)
		}
		if w.to == "host" && (w.from == "external" || w.from == "workload") {
			f.Severity = "high"
		}
		res.Findings = append(res.Findings, f)
	}
	return known
}

// add adds what is known of one more flow that a declared one is about.
func (a *answer) add(b *answer) {
	if weight[b.verdict] > weight[a.verdict] {
		*a = answer{verdict: b.verdict}
	}
	if a.verdict == b.verdict {
		a.by, a.stopped, a.because = few(a.by, b.by), few(a.stopped, b.stopped), few(a.because, b.because)
	}
}

// few are the first texts of two lists.
func few(list, more []string) []string {
	for _, s := range more {
		if len(list) < maxTexts && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// possible finds the declared flows that the host does not let pass.
func (m *Model) possible(r *finding.Report, known map[*Flow]*answer, missed string, res *finding.Result) {
	listening, within := listeners(r), inside(r)
	for i := range m.Flows {
		f := &m.Flows[i]
		var a answer
		if known[f] != nil {
			a = *known[f]
		}
		switch {
		case a.verdict == "reachable", f.key != "" && within[way{from: f.From, key: f.key}]:
		case a.verdict == "unknown":
			res.Unknowns = append(res.Unknowns, finding.Unclear{Resource: resource(f.String()), Reason: "whether it is possible is not known: " + strings.Join(a.because, "; ")})
		case missed != "":
			res.Unknowns = append(res.Unknowns, finding.Unclear{Resource: resource(f.String()), Reason: missed})
		default:
			e := finding.Finding{
				Resource: resource(f.String()), Zone: f.From, Severity: res.Severity, Message: "the model declares " + f.String() + ", which is impossible", Evidence: m.proof(r, listening, f, &a),
				Remediation: []finding.Remediation{{Kind: "words", Text: "take it out of the model, or let it pass"}},
			}
			if f.Why != "" {
				e.Evidence = append(e.Evidence, "it is declared since: "+f.Why)
			}
			res.Findings = append(res.Findings, e)
		}
	}
}

// inside are the sockets, by their keys and zones, that are in the zone that they are reached from: there is no boundary, whatever a TM-BOM draws.
func inside(r *finding.Report) map[way]bool {
	out := map[way]bool{}
	for i := range r.Exposures {
		if e := &r.Exposures[i]; over(e.Zone) == zoneOf(&e.Service) {
			out[way{from: over(e.Zone), key: escape.Text(e.Service.Key(), false)}] = true
		}
	}
	return out
}

// listeners are the keys of sockets by protocol and port, a few of each.
func listeners(r *finding.Report) map[string]map[int][]string {
	out := map[string]map[int][]string{}
	for i := range r.Exposures {
		s := &r.Exposures[i].Service
		if out[s.Proto] == nil {
			out[s.Proto] = map[int][]string{}
		}
		out[s.Proto][s.Port] = few(out[s.Proto][s.Port], []string{s.Key()})
	}
	return out
}

// proof says why a declared flow is impossible: by what stops it, or what is not there.
func (m *Model) proof(r *finding.Report, listening map[string]map[int][]string, f *Flow, a *answer) []string {
	if a.verdict == "unreachable" {
		return append([]string{"no packet gets there by " + strings.Join(a.by, ", ") + "; the proof was checked again"}, stops(a.stopped)...)
	}
	for _, zone := range []string{f.From, f.To} {
		if zone != "host" && !slices.ContainsFunc(r.Zones, func(z finding.Zone) bool { return over(z.Zone) == zone }) {
			return []string{"nothing is in the " + zone + " zone"}
		}
	}
	if f.key != "" {
		return []string{"there is no such socket on the host, or it crosses no boundary"}
	}
	if f.Service == "" {
		return []string{"no interfaces lead from the one zone to the other"}
	}
	var others []string
	for port := f.low; port <= f.high && len(others) < maxTexts; port++ {
		others = few(others, listening[f.proto][port])
	}
	if len(others) > 0 {
		return []string{"what listens there is another: " + strings.Join(others, ", ")}
	}
	return []string{"nothing listens on " + f.Service}
}

func stops(list []string) (out []string) {
	for _, s := range list {
		out = append(out, "stopped by "+s)
	}
	return out
}

// zones finds the interfaces that are in other zones than the model has them in. A model without zones has said nothing of them. Missed is why not
// all interfaces were seen: then one that is not there is not known to be gone.
func (m *Model) zones(r *finding.Report, missed string, res *finding.Result) {
	if len(m.Zones) == 0 {
		res.Status, res.Reason = finding.NotApplicable, "the model has no interfaces"
		return
	}
	found := map[string]bool{}
	for _, z := range r.Zones {
		if z.Zone == "host" || z.Name == "local processes" {
			continue
		}
		declared, pattern := m.zoneOf(z.Name)
		found[pattern] = true
		if declared == over(z.Zone) {
			continue
		}
		f := finding.Finding{
			Resource: finding.Resource{Kind: "interface", Key: z.Name}, Zone: over(z.Zone), Severity: res.Severity,
			Message: fmt.Sprintf("%s is in the %s zone, and the model has it in %s", z.Name, over(z.Zone), declared), Evidence: []string{z.Name + " is " + z.Zone + ": " + z.Reason},
			Remediation: []finding.Remediation{{Kind: "words", Text: res.Remediation}},
		}
		if declared == "" {
			f.Message = fmt.Sprintf("%s is in the %s zone, and the model does not have it", z.Name, over(z.Zone))
		}
		res.Findings = append(res.Findings, f)
	}
	for _, z := range m.Zones {
		for _, name := range z.Interfaces {
			switch {
			case found[name] || strings.ContainsAny(name, `*?[\`):
			case missed != "":
				res.Unknowns = append(res.Unknowns, finding.Unclear{Resource: finding.Resource{Kind: "interface", Key: name}, Reason: missed})
			default:
				res.Findings = append(res.Findings, finding.Finding{
					Resource: finding.Resource{Kind: "interface", Key: name}, Severity: "low", Message: fmt.Sprintf("the model has %s in the %s zone, and there is no such interface", name, z.Name),
					Evidence: []string{fmt.Sprintf("none of %d interfaces is called so", len(r.Zones))}, Remediation: []finding.Remediation{{Kind: "words", Text: "take it out of the model"}},
				})
			}
		}
	}
}

// zoneOf is the zone that a model has an interface in, and by which name or pattern: a name goes before a pattern.
func (m *Model) zoneOf(name string) (zone, pattern string) {
	for _, exact := range []bool{true, false} {
		for _, z := range m.Zones {
			for _, p := range z.Interfaces {
				if ok, err := path.Match(p, name); p == name || !exact && err == nil && ok {
					return z.Name, p
				}
			}
		}
	}
	return "", ""
}
