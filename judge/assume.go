package judge

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/zones"
)

// ruleArea is the area of the policies that no check is made of: assumptions are held by them.
const ruleArea = "assumption"

// Known is what the claims of a register can name.
func (p *Policies) Known() *assume.Known {
	k := &assume.Known{Facts: factNames(), Assumes: map[string][]string{}}
	for i := range p.Checks {
		c := &p.Checks[i]
		k.Checks = append(k.Checks, c.ID)
		if len(c.Assumes) > 0 {
			k.Assumes[c.ID] = c.Assumes
		}
	}
	for i := range p.rules {
		k.Rules = append(k.Rules, p.rules[i].pkg)
	}
	return k
}

// assumed holds the register against the host, has the checks rest on it, and adds what it makes findings of to the results.
func assumed(ctx context.Context, r *finding.Report, a *asking, p *Policies, cfg *Config) error {
	reg := cfg.Register
	if reg == nil {
		return nil
	}
	seen, err := time.Parse(time.RFC3339, r.Snapshot.CollectedAt)
	if err != nil {
		seen = time.Time{} // of a snapshot whose time is not known it is not known that it is young enough
	}
	a.p = p
	r.Assumptions = reg.Hold(a, seen, cfg.Now)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	r.Hold(reg.Rests())
	if !reg.IsShipped() {
		r.Add(assume.Results(r.Assumptions))
	}
	return nil
}

// asking answers what claims ask of the host that was judged.
type asking struct {
	ctx     context.Context
	b       *builder
	ev      *evaluator
	p       *Policies
	results []finding.Result
}

// Ask answers one claim.
func (a *asking) Ask(c *assume.Claim) finding.Ground {
	switch {
	case c.Fact != "":
		return a.fact(c.Fact)
	case len(c.Check) > 0:
		return a.check(c.Check[0])
	case c.Reach != nil:
		return a.reach(c.Reach)
	case c.Path != nil:
		return a.path(c.Path)
	default:
		return a.rule(c.Rego)
	}
}

// whole makes what was confirmed unconfirmed, if what it was read from was not seen whole.
func (a *asking) whole(p finding.Ground, reads []string) finding.Ground {
	gaps, unread := missed(a.b.snap, a.b.gaps, reads)
	switch {
	case unread != "":
		return finding.Ground{Kind: p.Kind, What: p.What, Validity: finding.Unconfirmed, Because: unread}
	case p.Validity == finding.Confirmed && len(gaps) > 0:
		p.Validity, p.Because = finding.Unconfirmed, strings.Join(gaps, "; ")
	}
	return p
}

// maxTold bounds what is told of one check or question.
const maxTold = 5

// check is what came of a check.
func (a *asking) check(id string) finding.Ground {
	p := finding.Ground{Kind: "check", What: id, Validity: finding.Unconfirmed, Because: "it was not judged"}
	i := slices.IndexFunc(a.results, func(r finding.Result) bool { return r.ID == id })
	if i < 0 {
		return p
	}
	res := &a.results[i]
	if j := slices.IndexFunc(a.p.Checks, func(c Check) bool { return c.ID == id }); j >= 0 && a.p.Checks[j].otherSystem(a.b.snap) != "" {
		p.Because = res.Reason // nothing of this host was looked at for it
		return p
	}
	switch res.Status {
	case finding.Pass:
		p.Validity, p.Because, p.Evidence = finding.Confirmed, "", []string{"it passes"}
	case finding.NotApplicable:
		p.Validity, p.Because, p.Evidence = finding.Confirmed, "", []string{"it does not apply: " + res.Reason}
	case finding.Fail:
		p.Validity, p.Because = finding.Rejected, ""
		for i := range res.Findings {
			f := &res.Findings[i]
			if i == maxTold {
				p.Evidence = append(p.Evidence, fmt.Sprintf("and %d more", len(res.Findings)-i))
				break
			}
			p.Evidence = append(p.Evidence, f.Message)
			if p.Witness == "" {
				p.Witness, p.Steps = f.Witness, f.Steps
			}
		}
	default: // unknown, or left out
		p.Because = res.Reason
	}
	return p
}

// reach asks the packet model. Which zones there are is part of the answer, so that it rests on all that services are made from.
func (a *asking) reach(q *assume.Reach) finding.Ground {
	reachReads := fieldReads()["services"]
	p := finding.Ground{Kind: "reach", What: q.String()}
	if exposure.Unseen(a.b.snap) != nil {
		return a.whole(p, reachReads)
	}
	for _, place := range []string{q.From, q.To} {
		if name, ok := strings.CutPrefix(place, "iface:"); ok && a.b.snap.Network.LinkNamed(name) == nil {
			p.Validity, p.Because = finding.Unconfirmed, fmt.Sprintf("there is no interface %s", name)
			return p
		}
	}
	var got []ways
	if q.To == "services" {
		got = a.services(q)
	} else {
		got = a.asked(q)
	}
	p = decided(p, got, q.Answer)
	if p.Validity == finding.Rejected && q.Answer == string(packet.Reachable) { // by what is not there: all of it has to be seen for that too
		if seen := a.whole(finding.Ground{Kind: p.Kind, What: p.What, Validity: finding.Confirmed}, reachReads); seen.Validity != finding.Confirmed {
			return seen
		}
	}
	return a.whole(p, reachReads)
}

// ways is an answer about packets of one kind.
type ways struct {
	verdict packet.Verdict
	what    string
	witness string
	because []string
	stopped []string
}

// told is what stops packets of one kind, or that there are none.
func (w *ways) told() string {
	if w.what == "" {
		return strings.Join(w.stopped, "; ")
	}
	return w.what + " is stopped by " + strings.Join(w.stopped, "; ")
}

// decided is what answers about packets of several kinds say together: one that arrives is enough.
func decided(p finding.Ground, got []ways, want string) finding.Ground {
	verdict := packet.Unreachable
	for i := range got {
		w := &got[i]
		switch {
		case w.verdict == packet.Reachable && verdict != packet.Reachable:
			verdict, p.Witness = packet.Reachable, w.witness
			p.Evidence, p.Because = []string{strings.TrimSpace(w.what + " is reachable: " + w.witness)}, ""
		case w.verdict == packet.Reachable:
			p.Evidence = append(p.Evidence, strings.TrimSpace(w.what+" is reachable: "+w.witness))
		case w.verdict == packet.Unknown && verdict == packet.Unreachable:
			verdict, p.Because = packet.Unknown, strings.TrimSpace(w.what+" "+strings.Join(w.because, "; "))
		}
	}
	if verdict == packet.Unreachable {
		for i := range got {
			p.Evidence = append(p.Evidence, got[i].told())
		}
	}
	if len(p.Evidence) > maxTold {
		p.Evidence = append(p.Evidence[:maxTold], fmt.Sprintf("and %d more", len(p.Evidence)-maxTold))
	}
	switch {
	case verdict == packet.Unknown:
		p.Validity, p.Evidence = finding.Unconfirmed, nil
	case string(verdict) == want:
		p.Validity, p.Witness = finding.Confirmed, ""
	default:
		p.Validity = finding.Rejected
	}
	return p
}

// asked asks about packets from one place to another, of each protocol that has ports unless one is meant.
func (a *asking) asked(q *assume.Reach) (out []ways) {
	protos, port := []string{"tcp", "udp", "sctp", "icmp"}, 0
	to := strings.TrimPrefix(q.To, "zone:")
	if named, ok := strings.CutPrefix(q.To, "port:"); ok {
		proto, n, _ := assume.Port(named)
		protos, port, to = []string{proto}, n, zones.Host
	} else if to == zones.Host {
		protos = protos[:3] // echo requests are the kernel's, and no socket takes them
	}
	for _, proto := range protos {
		w := exposure.Words{From: strings.TrimPrefix(q.From, "zone:"), To: to, Proto: proto, Dport: port}
		asked, err := w.Question(a.b.snap, a.b.zones)
		if err != nil { // one of the zones has nothing in it
			return []ways{{verdict: packet.Unreachable, stopped: []string{err.Error()}}}
		}
		got := a.b.asker.Ask(asked)
		r := a.b.reach(&got, "")
		way := ways{got.Verdict, proto, r.Witness, r.Because, r.StoppedBy}
		if b, err := json.Marshal(got.Certificate); err == nil && got.Certificate != nil {
			way.stopped = append(way.stopped, fmt.Sprintf("proof sha256:%x, re-checked", sha256.Sum256(b)))
		}
		out = append(out, way)
	}
	return out
}

// services are the sockets of the host with what a zone reaches of them.
func (a *asking) services(q *assume.Reach) (out []ways) {
	zone := strings.TrimPrefix(q.From, "zone:")
	from := []string{zone}
	if zone == zones.External {
		from = append(from, zones.Unclassified)
	}
	for i := range a.b.doc.Services {
		svc := &a.b.doc.Services[i]
		if svc.Namespace != "" || slices.Contains(q.Except, fmt.Sprintf("%d/%s", svc.Port, svc.Proto)) {
			continue
		}
		for _, z := range from {
			if r, ok := svc.Reach[z]; ok {
				out = append(out, ways{r.Verdict, svc.Key, r.Witness, r.Because, r.StoppedBy})
			}
		}
	}
	if out == nil {
		out = []ways{{verdict: packet.Unreachable, stopped: []string{"there is no such service, or nothing is in the " + zone + " zone"}}}
	}
	return out
}

// path asks who becomes what. Who is meant to is told, and is no answer.
func (a *asking) path(q *assume.Path) finding.Ground {
	p := finding.Ground{Kind: "path", What: q.String(), Validity: finding.Confirmed}
	goal := assume.Goals[q.To]
	yes, open, asked := 0, 0, 0
	for i := range a.b.doc.Paths {
		d := &a.b.doc.Paths[i]
		if d.Goal != goal || !concerns(q.From, d) {
			continue
		}
		asked++
		switch {
		case d.Verdict == string(power.Yes) && (d.Meant != "" || d.Kind == string(power.Account) && d.Trigger == "operator"):
			p.Evidence = append(p.Evidence, d.Name+" does, as is meant")
		case d.Verdict == string(power.Yes):
			if yes++; yes == 1 {
				p.Steps = d.Steps
			}
			p.Evidence = slices.Insert(p.Evidence, yes-1, fmt.Sprintf("%s gets to %s: %s", d.Name, d.Text, strings.Join(d.Steps, "; ")))
		case d.Verdict != string(power.No):
			if open++; open == 1 {
				p.Because = d.Name + ": " + strings.Join(d.Because, "; ")
			}
		}
	}
	switch one := q.From != "any" && !strings.HasPrefix(q.From, "zone:") && !strings.HasPrefix(q.From, "kind:"); {
	case asked > 0:
	case one: // as of an interface: a name that is written wrong is nobody's
		open, p.Because = 1, fmt.Sprintf("nobody on the host is called %s", q.From)
	default:
		p.Evidence = []string{"there is nobody such on the host"}
	}
	if len(p.Evidence) > maxTold {
		p.Evidence = append(p.Evidence[:maxTold], fmt.Sprintf("and %d more", len(p.Evidence)-maxTold))
	}
	switch {
	case yes > 0:
		p.Validity, p.Because = finding.Rejected, ""
	case open > 0:
		p.Validity = finding.Unconfirmed
	}
	if q.Answer == "some" {
		p.Validity = map[string]string{
			finding.Confirmed: finding.Rejected, finding.Rejected: finding.Confirmed, finding.Unconfirmed: finding.Unconfirmed,
		}[p.Validity]
	}
	if whole := a.whole(finding.Ground{Kind: p.Kind, What: p.What, Validity: finding.Confirmed}, fieldReads()["paths"]); yes == 0 && whole.Validity != finding.Confirmed {
		return whole // nobody is seen to, and not everybody was seen
	}
	return p
}

// concerns says whether a question is about a principal.
func concerns(from string, d *DocPath) bool {
	switch from {
	case "any":
		return true
	case "zone:workload":
		return d.Kind == string(power.Workload) || d.Kind == string(power.Agent)
	default:
		kind, ok := strings.CutPrefix(from, "kind:")
		return ok && d.Kind == kind || d.Key == from || d.Name == from
	}
}

// ruled is what a rule of the user answers.
type ruled struct {
	Validity string   `json:"validity"` // confirmed, rejected, unconfirmed; "" where the rule has no answer
	Because  string   `json:"because"`  // why it is unconfirmed
	Evidence []string `json:"evidence"` // what was seen
}

// rule evaluates a rule of the user: answer is an object with validity, because and evidence. Without an answer it is unconfirmed.
func (a *asking) rule(name string) finding.Ground {
	p := finding.Ground{Kind: "rego", What: name, Validity: finding.Unconfirmed, Because: "there is no such rule"}
	i := slices.IndexFunc(a.p.rules, func(c Check) bool { return c.pkg == name })
	if i < 0 {
		return p
	}
	c := &a.p.rules[i]
	if a.p.leave != "" {
		p.Because = a.p.leave
		return p
	}
	if missing := c.missing(a.ev.given); len(missing) > 0 {
		p.Because = "it needs " + strings.Join(missing, ", ") + ", which the configuration does not give (--config)"
		return p
	}
	got, err := bounds(a.ctx, a.ev, c, a.answers)
	if err != nil {
		p.Because = "the rule failed: " + reasonOf(err)
		return p
	}
	p.Because, p.Evidence = got.Because, got.Evidence
	switch got.Validity {
	case finding.Confirmed, finding.Rejected, finding.Unconfirmed:
		p.Validity = got.Validity
	case "":
		p.Because = "the rule has no answer"
	default:
		p.Because = fmt.Sprintf("the rule answers %q: want confirmed, rejected or unconfirmed", got.Validity)
	}
	if p.Validity == finding.Rejected && len(p.Evidence) == 0 && p.Because != "" {
		p.Evidence, p.Because = []string{p.Because}, ""
	}
	return a.whole(p, c.Reads)
}

func (a *asking) answers(ctx context.Context, c *Check) (*ruled, error) {
	var doc struct {
		Answer ruled `json:"answer"` // what the rule says of the assumption
	}
	return &doc.Answer, a.ev.public(ctx, c, &doc)
}
