package reports

import (
	"crypto/sha1" //nolint:gosec // RFC 9562 wants it for UUIDs of version 5: nothing rests on it
	"encoding/hex"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// The objects of OSCAL 1.1.3 assessment results that are written (pages.nist.gov/OSCAL-Reference).
type (
	oscalDocument struct {
		Results oscalResults `json:"assessment-results"`
	}
	oscalResults struct {
		UUID     string        `json:"uuid"`
		Metadata oscalMetadata `json:"metadata"`
		Plan     oscalHref     `json:"import-ap"`
		Results  []oscalResult `json:"results"`
	}
	oscalMetadata struct {
		Title        string `json:"title"`
		LastModified string `json:"last-modified"`
		Version      string `json:"version"`
		OSCALVersion string `json:"oscal-version"`
	}
	oscalHref struct {
		Href string `json:"href"`
	}
	oscalResult struct {
		UUID         string             `json:"uuid"`
		Title        string             `json:"title"`
		Description  string             `json:"description"`
		Start        string             `json:"start"`
		Reviewed     oscalReviewed      `json:"reviewed-controls"`
		Observations []oscalObservation `json:"observations,omitempty"`
		Risks        []oscalRisk        `json:"risks,omitempty"`
		Findings     []oscalFinding     `json:"findings,omitempty"`
	}
	oscalReviewed struct {
		Selections []oscalSelection `json:"control-selections"`
	}
	oscalSelection struct {
		All struct{} `json:"include-all"`
	}
	oscalObservation struct {
		UUID        string          `json:"uuid"`
		Title       string          `json:"title,omitempty"`
		Description string          `json:"description"`
		Props       []oscalProp     `json:"props,omitempty"`
		Methods     []string        `json:"methods"`
		Evidence    []oscalEvidence `json:"relevant-evidence,omitempty"`
		Collected   string          `json:"collected"`
	}
	oscalProp struct {
		Name      string `json:"name"`
		Namespace string `json:"ns"`
		Value     string `json:"value"`
	}
	oscalEvidence struct {
		Href        string `json:"href,omitempty"`
		Description string `json:"description"`
	}
	oscalRisk struct {
		UUID        string `json:"uuid"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Statement   string `json:"statement"`
		Status      string `json:"status"`
	}
	oscalFinding struct {
		UUID         string             `json:"uuid"`
		Title        string             `json:"title"`
		Description  string             `json:"description"`
		Target       oscalTarget        `json:"target"`
		Observations []oscalObserved    `json:"related-observations,omitempty"`
		Risks        []oscalRelatedRisk `json:"related-risks,omitempty"`
	}
	oscalTarget struct {
		Type   string      `json:"type"`
		ID     string      `json:"target-id"`
		Status oscalStatus `json:"status"`
	}
	oscalStatus struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	}
	oscalObserved struct {
		UUID string `json:"observation-uuid"`
	}
	oscalRelatedRisk struct {
		UUID string `json:"risk-uuid"`
	}
)

// oscalStates are validities as states of an objective. What is unconfirmed is not satisfied.
var oscalStates = map[string]oscalStatus{
	finding.Confirmed: {"satisfied", "pass"}, finding.Rejected: {"not-satisfied", "fail"}, finding.Unconfirmed: {"not-satisfied", "other"},
}

// uuid5 is a UUID of a name (RFC 9562, 5.5): the same in each run, so that documents of two days differ by what changed.
func uuid5(name ...string) string {
	const namespace = "6f0d3ad4-2d6d-5e27-9c57-5c3f5a3a9d10" // of this program
	space, err := hex.DecodeString(strings.ReplaceAll(namespace, "-", ""))
	if err != nil {
		panic(err) // it is written above
	}
	sum := sha1.Sum(append(space, strings.Join(name, "\x00")...)) //nolint:gosec // see the import
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	s := hex.EncodeToString(sum[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// writeOSCAL writes assessment results. Of assumptions they have an observation for each ground, a finding for each, and a risk for each threat that
// comes back; of checks an observation for each finding, a finding for each, and none for what does not apply or is left out.
func writeOSCAL(w io.Writer, list []*finding.Report, _ Options) error {
	r := list[0]
	at := "1970-01-01T00:00:00Z"
	if t, err := time.Parse(time.RFC3339, r.Snapshot.CollectedAt); err == nil {
		at = t.UTC().Format(time.RFC3339)
	}
	name := some(oneLine(r.Host.Name), "host")
	o := oscalMaker{r: r, at: at, out: oscalResult{
		UUID: uuid5(r.Host.ID, r.Host.Name, "result"), Title: "Checks of " + name + ", and assumptions held against it", Start: at,
		Description: "Each check, and each assumption of a threat model, was held against what was seen of " + name + " (snapshot " + some(oneLine(r.Snapshot.Digest), "without a digest") + ").",
		Reviewed:    oscalReviewed{[]oscalSelection{{}}},
	}}
	for i := range r.Assumptions {
		o.assumption(&r.Assumptions[i])
	}
	o.checks()
	return encode(w, "OSCAL", oscalDocument{oscalResults{
		UUID:     uuid5(r.Host.ID, r.Host.Name, "document"),
		Metadata: oscalMetadata{"Assessment of " + name, at, some(oneLine(r.Tool.Version), "0"), "1.1.3"}, Plan: oscalHref{"#plan"}, Results: []oscalResult{o.out},
	}})
}

// some is a text, or what stands for an empty one.
func some(s, empty string) string {
	if s = strings.TrimSpace(s); s == "" {
		return empty
	}
	return s
}

type oscalMaker struct {
	r   *finding.Report
	at  string
	out oscalResult
}

// id is the UUID of a part of the document.
func (o *oscalMaker) id(what ...string) string {
	return uuid5(append([]string{o.r.Host.ID, o.r.Host.Name}, what...)...)
}

func (o *oscalMaker) assumption(a *finding.Assumption) {
	f := oscalFinding{
		UUID: o.id("finding", a.ID), Title: some(oneLine(a.Statement), a.ID), Description: some(oneLine(strings.Join(a.Because, "; ")), a.Validity),
		Target: oscalTarget{"objective-id", "assumption-" + a.ID, oscalStates[a.Validity]},
	}
	for i := range a.Claims {
		for j := range a.Claims[i].Grounds {
			g := &a.Claims[i].Grounds[j]
			id := o.id("observation", a.ID, a.Claims[i].Says, g.Kind, g.What)
			f.Observations = append(f.Observations, oscalObserved{id})
			o.out.Observations = append(o.out.Observations, o.observation(id, &a.Claims[i], g))
		}
	}
	if a.Validity == finding.Rejected {
		for _, threat := range a.IfFalse {
			risk := oscalRisk{
				UUID: o.id("risk", a.ID, threat), Title: some(oneLine(threat), "threat"), Description: "It comes back, since the assumption does not hold: " + f.Title,
				Statement: f.Description, Status: "open",
			}
			f.Risks = append(f.Risks, oscalRelatedRisk{risk.UUID})
			o.out.Risks = append(o.out.Risks, risk)
		}
	}
	o.out.Findings = append(o.out.Findings, f)
}

// oscalChecks are states of checks as states of an objective.
var oscalChecks = map[string]oscalStatus{
	finding.Pass: {"satisfied", "pass"}, finding.Fail: {"not-satisfied", "fail"}, finding.Unknown: {"not-satisfied", "other"},
}

// checks adds the checks that were decided, or were to be.
func (o *oscalMaker) checks() {
	at := map[string]int{}
	for _, e := range entries([]*finding.Report{o.r}) {
		status, ok := oscalChecks[e.res.Status]
		if !ok || strings.HasPrefix(e.res.ID, "assumption/") {
			continue
		}
		i, known := at[e.res.ID]
		if !known {
			i = len(o.out.Findings)
			at[e.res.ID] = i
			o.out.Findings = append(o.out.Findings, oscalFinding{
				UUID: o.id("check", e.res.ID), Title: some(oneLine(e.res.Title), "check"), Description: some(oneLine(e.res.Reason), e.res.Status),
				Target: oscalTarget{"objective-id", "check-" + slug(e.res.ID), status},
			})
		}
		what := "nothing"
		if e.f != nil {
			what = e.f.Fingerprint
		} else if e.open {
			what = "open"
		}
		id := o.id("observation", e.res.ID, what)
		o.out.Findings[i].Observations = append(o.out.Findings[i].Observations, oscalObserved{id})
		ob := oscalObservation{
			UUID: id, Description: some(e.message(), e.status()), Methods: []string{"TEST"}, Collected: o.at, Props: []oscalProp{{"status", infoURI, e.status()}},
		}
		for _, text := range e.evidence() {
			if text = oneLine(text); text != "" {
				ob.Evidence = append(ob.Evidence, oscalEvidence{Description: text})
			}
		}
		o.out.Observations = append(o.out.Observations, ob)
	}
}

// observation is what was asked of the host for a claim.
func (o *oscalMaker) observation(id string, c *finding.Claim, g *finding.Ground) oscalObservation {
	out := oscalObservation{
		UUID: id, Title: some(oneLine(c.Says), g.Kind), Description: some(oneLine(g.Kind+" "+g.What+": "+g.Validity), g.Kind), Methods: []string{"TEST"}, Collected: o.at,
		Props: []oscalProp{{"validity", infoURI, g.Validity}},
	}
	for _, e := range append(append([]string{}, g.Evidence...), g.Because) {
		if e = oneLine(e); e != "" {
			out.Evidence = append(out.Evidence, oscalEvidence{Description: e})
		}
	}
	if d := oneLine(o.r.Snapshot.Digest); d != "" {
		out.Evidence = append(out.Evidence, oscalEvidence{Href: "#" + slug(d), Description: "the snapshot " + d})
	}
	return out
}
