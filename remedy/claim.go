package remedy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trace"
)

// Claim is what a proof has shown, as data: any process can ask later whether it holds of the host as it is then.
type Claim struct {
	Plan *Plan
	// Lasting are the plan's tables as the kernel told them in the replica.
	Lasting json.RawMessage
	Working []Working

	proof *Proof // nil in another process
}

// Working is a first packet of what must go on working, and what became of it before the plan: trace.Local, trace.Forward, or trace.Unknown
// where the rules of others do not tell.
type Working struct {
	Flow   string        `json:"flow"`
	Packet packet.Packet `json:"packet"`
	Fate   trace.Outcome `json:"fate"`
	Oif    string        `json:"oif,omitempty"`
}

// Claim is what was proven.
func (p *Proof) Claim() *Claim { return &Claim{p.plan, p.lasting, p.working, p} }

// Holds proves on the model of the host as it is now, with the tables of others that are there, that the plan closes what it is about, and that
// what must go on working does as it did before it. What still stands of the proof is not asked again.
func (c *Claim) Holds(ctx context.Context, now *snapshot.Snapshot) error {
	again := &Proof{plan: c.Plan, before: Without(now)}
	if err := json.Unmarshal(c.Lasting, &again.tables); err != nil {
		return fmt.Errorf("read what was proven: %w", err)
	}
	for i := range again.tables { // kept without it
		again.tables[i].Name = Table
	}
	if c.proof == nil || !c.proof.stands(now) {
		by, err := again.closes(ctx, now)
		if err != nil {
			return err
		}
		if c.proof != nil {
			c.proof.ground = groundOf(now, by.leans)
		}
	}
	return again.keepsOn(ctx, now, c.Working)
}

// with is a host with the plan's tables in place of earlier ones.
func (p *Proof) with(s *snapshot.Snapshot) *snapshot.Snapshot {
	clone := *Without(s)
	rs := ruleset.Ruleset{Stable: true}
	if clone.NFTables.Ruleset != nil {
		rs = *clone.NFTables.Ruleset
	}
	rs.Tables = append(slices.Clone(rs.Tables), p.tables...)
	clone.NFTables.Ruleset = &rs
	return &clone
}

// alone is a host with no tables but the plan's, and those of iptables-legacy that were not read.
func (p *Proof) alone(s *snapshot.Snapshot) *snapshot.Snapshot {
	clone := *s
	clone.NFTables.Legacy = maps.Clone(s.NFTables.Legacy)
	for _, program := range []string{"iptables", "ip6tables"} {
		if f, ok := clone.NFTables.Legacy[program]; ok {
			f.Value = strings.Join(s.NFTables.UnreadLegacy(program), " ")
			clone.NFTables.Legacy[program] = f
		}
	}
	clone.NFTables.Ruleset = &ruleset.Ruleset{Stable: true, Tables: p.tables}
	return &clone
}

func tracer(ctx context.Context, s *snapshot.Snapshot) *trace.Tracer {
	return exposure.New(ctx, s, exposure.Limits{}, nil).Tracer()
}

// worksOn follows the packets of what must go on working on a host: those that arrive, or of which that cannot be told.
func (p *Plan) worksOn(ctx context.Context, s *snapshot.Snapshot) (list []Working) {
	t := tracer(ctx, s)
	for _, k := range p.Kept(s) {
		switch was := t.Packet(k.Packet); was.Fate {
		case trace.Local, trace.Forward, trace.Unknown:
			list = append(list, Working{k.Flow.String(), *k.Packet, was.Fate, was.Oif})
		case trace.Output, trace.Drop, trace.Reject: // it does not work
		}
	}
	return list
}

// keepsOn shows by single packets that what worked before still arrives on a host with the plan. Of what could not be told before, at least
// the plan itself must not be what stops it.
func (p *Proof) keepsOn(ctx context.Context, s *snapshot.Snapshot, working []Working) error {
	now, ours := tracer(ctx, p.with(s)), tracer(ctx, p.alone(s))
	for i := range working {
		k := &working[i]
		if p.plan.ended(s, k.Packet.In) || p.plan.ended(s, k.Oif) {
			continue // it has ended with who sent it
		}
		if k.Fate == trace.Unknown {
			if got := ours.Packet(&k.Packet); got.Fate != trace.Local && got.Fate != trace.Forward {
				return fmt.Errorf("%s cannot be shown to go on working: with the plan alone: %s %s %s", k.Flow, got.Fate, got.Rule, got.Why)
			}
			continue
		}
		if is := now.Packet(&k.Packet); is.Fate != k.Fate || is.Oif != k.Oif {
			return fmt.Errorf("%s would stop working: %s %s %s", k.Flow, is.Fate, is.Rule, is.Why)
		}
	}
	return nil
}
