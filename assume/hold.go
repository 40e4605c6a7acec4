package assume

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
)

// World answers what claims ask of a host. The claim joins no others, and names one check if it is about checks; what those rest on is not its
// matter. A status of a check is in its answer's validity: one that does not apply has nothing that could be wrong, and is confirmed,
// unless it is of another system.
type World interface {
	Ask(c *Claim) finding.Ground
}

// Hold holds each assumption against a host, as it was seen at a time.
func (r *Register) Hold(w World, seen, now time.Time) []finding.Assumption {
	h := &holding{r: r, w: w, rests: r.rests(), seen: seen, now: now, done: map[string]*finding.Assumption{}, asked: map[string]finding.Ground{}}
	list := []finding.Assumption{}
	for i := range r.Assumptions {
		list = append(list, *h.assumption(&r.Assumptions[i]))
	}
	return list
}

// Unheld are the assumptions where nothing was judged, for a reason.
func (r *Register) Unheld(reason string) []finding.Assumption {
	list := []finding.Assumption{}
	for i := range r.Assumptions {
		a := r.told(&r.Assumptions[i])
		a.Validity, a.Open, a.Because = finding.Unconfirmed, finding.Unseen, []string{reason}
		list = append(list, a)
	}
	return list
}

// told is what is told of an assumption whatever comes of it.
func (r *Register) told(a *Assumption) finding.Assumption {
	return finding.Assumption{
		ID: a.ID, Statement: a.Statement, Topics: a.Topics, Owner: a.Owner, Review: a.Review, Severity: a.Severity, IfFalse: a.IfFalse, Supports: a.Supports,
		Claims: []finding.Claim{}, Shipped: r.shipped,
	}
}

// holding is what is known while assumptions are held against a host.
type holding struct {
	r         *Register
	w         World
	rests     map[string][]string
	seen, now time.Time
	done      map[string]*finding.Assumption
	asked     map[string]finding.Ground // checks
}

// assumption holds one, after those that its checks rest on: there are no circles.
func (h *holding) assumption(a *Assumption) *finding.Assumption {
	if out := h.done[a.ID]; out != nil {
		return out
	}
	out := h.r.told(a)
	if a.untold {
		out.Validity, out.Open, out.Because = finding.Unconfirmed, finding.Unseen, []string{"the model does not say what it is held by"}
		h.done[a.ID] = &out
		return &out
	}
	out.Validity = finding.Confirmed
	for _, c := range a.Holds.apart() {
		claim := finding.Claim{Says: c.text(), Grounds: []finding.Ground{}}
		claim.Validity = h.claim(c, &claim.Grounds)
		out.Validity = both(out.Validity, claim.Validity)
		out.Claims = append(out.Claims, claim)
	}
	out.Because = because(&out)
	if out.Validity == finding.Unconfirmed {
		out.Open = finding.Unseen
	}
	h.late(a, &out)
	h.done[a.ID] = &out
	return &out
}

// apart are the claims that a claim is made of, if all of them have to hold.
func (c *Claim) apart() []*Claim {
	if c.All != nil {
		return c.joined()
	}
	var list []*Claim
	for _, id := range c.Check {
		list = append(list, &Claim{Check: []string{id}})
	}
	if c.Says != "" || len(list) == 0 {
		return []*Claim{c}
	}
	return list
}

// late takes back what nobody looked at again in time, or what is known of another time. What was refuted stays so.
func (h *holding) late(a *Assumption, out *finding.Assumption) {
	if out.Validity != finding.Confirmed {
		return
	}
	if h.r.maxAge > 0 && (h.now.Sub(h.seen) > h.r.maxAge || h.seen.Sub(h.now) > time.Hour) {
		out.Validity, out.Open = finding.Unconfirmed, finding.Stale
		out.Because = append(out.Because, fmt.Sprintf("it held at %s, which is not within %s", h.seen.UTC().Format(time.RFC3339), h.r.MaxAge))
	}
	if !a.until.IsZero() && !h.now.Before(a.until) {
		out.Validity, out.Open = finding.Unconfirmed, finding.Overdue
		out.Because = append(out.Because, fmt.Sprintf("a review was due on %s", a.Review))
	}
}

// both is the validity of two claims together.
func both(a, b string) string {
	switch {
	case a == finding.Rejected || b == finding.Rejected:
		return finding.Rejected
	case a == finding.Confirmed && b == finding.Confirmed:
		return finding.Confirmed
	default:
		return finding.Unconfirmed
	}
}

// opposite is the validity of a claim that is denied.
func opposite(v string) string {
	switch v {
	case finding.Confirmed:
		return finding.Rejected
	case finding.Rejected:
		return finding.Confirmed
	default:
		return finding.Unconfirmed
	}
}

// claim is the validity of a claim; what was asked for it is added to the grounds.
func (h *holding) claim(c *Claim, grounds *[]finding.Ground) string {
	switch {
	case c.All != nil:
		v := finding.Confirmed
		for i := range c.All {
			v = both(v, h.claim(&c.All[i], grounds))
		}
		return v
	case c.Any != nil: // one that holds is enough: all of them denied is the denial
		v := finding.Confirmed
		for i := range c.Any {
			v = both(v, opposite(h.claim(&c.Any[i], grounds)))
		}
		return opposite(v)
	case c.Not != nil:
		return opposite(h.claim(c.Not, grounds))
	case c.Check != nil:
		v := finding.Confirmed
		for _, id := range c.Check {
			p := h.check(id)
			*grounds = append(*grounds, p)
			v = both(v, p.Validity)
		}
		return v
	default:
		p := h.w.Ask(c)
		*grounds = append(*grounds, p)
		return p.Validity
	}
}

// check asks for a check. That it passes counts only if what it rests on holds.
func (h *holding) check(id string) finding.Ground {
	if p, ok := h.asked[id]; ok {
		return p
	}
	p := h.w.Ask(&Claim{Check: []string{id}})
	for _, under := range h.rests[id] {
		if p.Validity != finding.Confirmed {
			break
		}
		validity := finding.Unconfirmed
		if i := slices.IndexFunc(h.r.Assumptions, func(a Assumption) bool { return a.ID == under }); i >= 0 {
			validity = h.assumption(&h.r.Assumptions[i]).Validity
		}
		if validity != finding.Confirmed {
			p.Validity, p.Because = finding.Unconfirmed, fmt.Sprintf("it passes only if %s, and that is %s", under, validity)
		}
	}
	h.asked[id] = p
	return p
}

// because is why an assumption is not confirmed: by the grounds that have its validity, or the claims where these do not tell.
func because(a *finding.Assumption) (list []string) {
	if a.Validity == finding.Confirmed {
		return nil
	}
	for i := range a.Claims {
		c := &a.Claims[i]
		if c.Validity != a.Validity {
			continue
		}
		n := len(list)
		for j := range c.Grounds {
			if p := &c.Grounds[j]; p.Validity == a.Validity {
				list = append(list, why(p))
			}
		}
		if len(list) == n {
			list = append(list, c.Says+" is "+c.Validity)
		}
	}
	return list
}

// why is a ground in one line.
func why(p *finding.Ground) string {
	says := p.Because
	if p.Validity == finding.Rejected && len(p.Evidence) > 0 {
		says = p.Evidence[0]
	}
	if says == "" {
		return p.Kind + " " + p.What
	}
	return p.What + ": " + says
}

// text is a claim in words.
func (c *Claim) text() string {
	join := func(list []*Claim, by string) string {
		var out []string
		for _, p := range list {
			out = append(out, p.text())
		}
		return strings.Join(out, by)
	}
	switch {
	case c.Says != "":
		return c.Says
	case c.All != nil:
		return join(c.joined(), " and ")
	case c.Any != nil:
		return join(c.joined(), " or ")
	case c.Not != nil:
		return "not " + c.Not.text()
	case c.Check != nil:
		return strings.Join(c.Check, ", ")
	case c.Reach != nil:
		return c.Reach.String()
	case c.Path != nil:
		return c.Path.String()
	default:
		return c.Fact + c.Rego
	}
}

// Rests are the assumptions that each check rests on.
func (r *Register) Rests() map[string][]string { return r.rests() }

// IDs are the ids of the results that assumptions make.
func (r *Register) IDs() (list []string) {
	for i := range r.Assumptions {
		list = append(list, resultID(r.Assumptions[i].ID))
	}
	return list
}

func resultID(id string) string { return "assumption/" + id }

// Results are assumptions as results of a report: one that is rejected is a finding, with one more for each threat that comes back.
func Results(list []finding.Assumption) (out []finding.Result) {
	for i := range list {
		out = append(out, result(&list[i]))
	}
	return out
}

func result(a *finding.Assumption) finding.Result {
	res := finding.Result{
		ID: resultID(a.ID), Severity: a.Severity, Title: a.Statement,
		Description: "A threat model takes it for granted.", Remediation: "Make it true again, or take the threats that come back into the model.",
	}
	if a.Owner != "" {
		res.Description += " " + a.Owner + " answers for it."
	}
	switch a.Validity {
	case finding.Confirmed:
		res.Status, res.Reason = finding.Pass, "confirmed by "+evidenceText(a)
	case finding.Rejected:
		res.Status = finding.Fail
		res.Findings = findings(a, res.ID)
	default:
		res.Status, res.Reason = finding.Unknown, "unconfirmed: "+strings.Join(a.Because, "; ")
		for _, b := range a.Because {
			res.Unknowns = append(res.Unknowns, finding.Unclear{Resource: finding.Resource{Kind: "assumption", Key: a.ID}, Reason: b})
		}
	}
	return res
}

// evidenceText counts what confirms an assumption.
func evidenceText(a *finding.Assumption) string {
	n := 0
	for i := range a.Claims {
		n += len(a.Claims[i].Grounds)
	}
	if n == 1 {
		return "1 answer of the host"
	}
	return fmt.Sprintf("%d answers of the host", n)
}

// findings are those of an assumption that is rejected.
func findings(a *finding.Assumption, id string) []finding.Finding {
	f := finding.Finding{
		Resource: finding.Resource{Kind: "assumption", Key: a.ID}, Severity: a.Severity, Evidence: slices.Clone(a.Because),
		Message:     "it does not hold that " + strings.TrimSuffix(lower(a.Statement), "."),
		Remediation: []finding.Remediation{{Kind: "words", Text: "make it true again, or take the threats that come back into the model"}},
	}
	for i := range a.Claims {
		for j := range a.Claims[i].Grounds {
			p := &a.Claims[i].Grounds[j]
			if a.Claims[i].Validity != finding.Rejected || p.Validity != finding.Rejected {
				continue
			}
			if f.Witness == "" {
				f.Witness = p.Witness
			}
			if f.Steps == nil {
				f.Steps = p.Steps
			}
			for _, e := range p.Evidence[min(1, len(p.Evidence)):] {
				f.Evidence = append(f.Evidence, p.What+": "+e)
			}
		}
	}
	f.Fingerprint = finding.Fingerprint(id, f.Resource)
	out := []finding.Finding{f}
	for _, threat := range a.IfFalse {
		t := f
		t.Resource = finding.Resource{Kind: "threat", Key: threat}
		t.Message = fmt.Sprintf("the threat %s is back: %s does not hold", threat, a.ID)
		t.Fingerprint = finding.Fingerprint(id, t.Resource)
		out = append(out, t)
	}
	return out
}

// lower begins a sentence with a small letter, unless it begins with a word of capitals.
func lower(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if len(first) > 1 && first == strings.ToUpper(first) {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// IsShipped says whether it is the set that the program brings along.
func (r *Register) IsShipped() bool { return r.shipped }
