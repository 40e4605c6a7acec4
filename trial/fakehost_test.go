package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/replica"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// The host.

func (w *fake) See(_ context.Context, only ...string) (*snapshot.Snapshot, error) {
	err := w.step(strings.Join(append([]string{"see"}, only...), " "))
	return w.seen(), err
}

// seen is the host as it is now.
func (w *fake) seen() *snapshot.Snapshot {
	s := *w.host
	if s.NFTables.Ruleset = w.loaded(); w.unreadable {
		s.NFTables.Ruleset = nil
	}
	return &s
}

// unknown has a check be one that cannot be judged.
func (w *fake) unknown(check string) { w.blind = append(w.blind, check) }

// unknownIf is the same, with rulesets alone of which when says so.
func (w *fake) unknownIf(check string, when func(*ruleset.Ruleset) bool) {
	w.unknown(check)
	w.blindIf = when
}

// deny is what closes a port to the outside.
func deny(zone string, port int) []finding.Remediation {
	return []finding.Remediation{{Kind: "nft", Text: fmt.Sprint(zone, port), Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: port}}}
}

func (w *fake) report(s *snapshot.Snapshot) *finding.Report {
	r := new(finding.Report)
	list := append([]extra{
		{
			apiCheck,
			finding.Finding{Message: "the API is open", Severity: "critical", Zone: zones.External, Remediation: deny(zones.External, apiPort)},
			func(s *snapshot.Snapshot) bool { return s.NFTables.Ruleset == nil || !closed(s.NFTables.Ruleset) },
		},
		{sshCheck, finding.Finding{Message: "root logs in", Severity: "high"}, func(*snapshot.Snapshot) bool { return w.effect[sshFile.Path] == "" }},
	}, w.found...)
	for _, c := range reads {
		res := finding.Result{ID: c.check, Status: finding.Pass}
		for _, e := range list {
			if e.check == c.check && (e.when == nil || e.when(s)) {
				f := e.f
				f.Fingerprint = c.check + " " + f.Resource.Key
				res.Status, res.Findings = finding.Fail, append(res.Findings, f)
			}
		}
		if slices.Contains(w.blind, c.check) && (w.blindIf == nil || s.NFTables.Ruleset != nil && w.blindIf(s.NFTables.Ruleset)) {
			res = finding.Result{ID: c.check, Status: finding.Unknown, Reason: "a process ended"}
		}
		r.Results = append(r.Results, res)
	}
	return r
}

func (w *fake) Judge(_ context.Context, s *snapshot.Snapshot) (*finding.Report, error) {
	if err := w.step("judge"); err != nil {
		return nil, err
	}
	return w.report(s), nil
}

var sshFile = dropin.File{Service: "sshd", Path: "/etc/ssh/sshd_config.d/00-ringfence.conf", Content: "PermitRootLogin no\n", Want: map[string]string{"PermitRootLogin": "no"}, Closes: []string{sshCheck}}

func (w *fake) Plan(_ context.Context, s *snapshot.Snapshot) (*remedy.Plan, error) {
	if err := w.step("plan"); err != nil {
		return nil, err
	}
	bare := remedy.Without(s)
	p := remedy.Make(w.report(bare), bare, config, w.options)
	if p.Files = nil; w.effect[sshFile.Path] == "" {
		p.Files = slices.Clone(w.dropFiles)
	}
	return p, nil
}

// proofs and holding are what the prover and the model said before: the same of the same.
var (
	proofs  = map[string]*remedy.Proof{}
	holding = map[string]error{}
)

// key is all that a proof of the fake depends on.
func (w *fake) key(p *remedy.Plan) string {
	b, err := json.Marshal([]any{p.Rules, p.Keeps, p.NoBaseline(), w.others, w.host.Network.Links})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// Prove is remedy's own; the replica answers as its kernel would.
func (w *fake) Prove(ctx context.Context, p *remedy.Plan, s *snapshot.Snapshot) (*remedy.Proof, error) {
	if err := w.step("prove"); err != nil {
		return nil, err
	}
	if w.replica != nil {
		return remedy.Prove(ctx, &remedy.Input{Plan: p, Snapshot: s, Run: w.replica})
	}
	key := w.key(p)
	if proofs[key] == nil {
		proof, err := remedy.Prove(ctx, &remedy.Input{Plan: p, Snapshot: s, Run: answerProbes})
		if err != nil {
			return nil, err
		}
		proofs[key] = proof
	}
	return proofs[key], nil
}

// Proven is remedy's own.
func (w *fake) Proven(ctx context.Context, c *remedy.Claim, now *snapshot.Snapshot) error {
	if err := w.step("proven"); err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	key := w.key(c.Plan)
	if _, ok := holding[key]; !ok {
		holding[key] = c.Holds(ctx, now)
	}
	return holding[key]
}

// StillCloses is remedy's own.
func (w *fake) StillCloses(ctx context.Context, p *remedy.Plan, now *snapshot.Snapshot) error {
	if err := w.step("still closes"); err != nil {
		return err
	}
	return p.StillCloses(ctx, now)
}

func (w *fake) Audit(_ context.Context, by *Judged, now *snapshot.Snapshot) (*finding.Report, error) {
	if err := w.step("audit"); err != nil {
		return nil, err
	}
	if by.Config != "as before" {
		w.t.Errorf("judged by %+v", by)
	}
	return w.report(now), nil
}

// answerProbes is the replica: everything is open before, and afterwards what the plan drops is silent.
func answerProbes(_ context.Context, job []byte) ([]byte, error) {
	var j remedy.Job
	if err := json.Unmarshal(job, &j); err != nil {
		return nil, err
	}
	before, after := map[int]string{}, map[int]string{}
	for _, k := range j.Probes {
		before[k.ID], after[k.ID] = replica.Open, replica.Open
		if k.From == "" { // the host itself
			continue
		}
		if b := j.Host.Network.BridgeOf(j.Host.Network.LinkNamed(k.From)); b != nil {
			k.From = b.Name
		}
		for i := range j.Plan.Rules {
			r := &j.Plan.Rules[i]
			if r.Iif != k.From && !slices.Contains(r.Iifs, k.From) || (r.Chain == "forward") == j.Host.Network.Has(k.Dst.Addr()) ||
				r.Port != 0 && r.Port != int(k.Dst.Port()) || r.Proto != "" && r.Proto != k.Proto || len(r.Sources) > 0 && !slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return p.Contains(k.Src) }) {
				continue
			}
			if !r.Accept {
				after[k.ID] = replica.Silent
			}
			break
		}
	}
	return json.Marshal(remedy.Result{Before: before, After: after, Flushed: after, Trial: tables(j.Plan, true), Lasting: tables(j.Plan, false)})
}

func (w *fake) Reads(check string) []string {
	for _, c := range reads {
		if c.check == check {
			return c.sections
		}
	}
	return nil
}
