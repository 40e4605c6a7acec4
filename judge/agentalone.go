package judge

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// agentAlone adds what is known of an agent without the packet filter: its process, its configuration and the addresses that it listens on.
func (b *builder) agentAlone(a *snapshot.Agent, d *DocAgent) {
	prog := DocAgentProgram{
		DocAgentIdentity: d.DocAgentIdentity, ConfigWhy: a.ConfigRead.Reason,
		FloorState: agentState(a.Runtime, a.Version.Value, a.Floor), FloorWhy: a.FloorWhy, VersionWhy: a.Version.Reason,
	}
	switch o := a.Origins; {
	case a.Config != nil && a.Config.AnyOrigin:
		prog.Origins = "any"
	case o != nil && o.State == snapshot.Present:
		prog.Origins = o.Value
	case o != nil && o.State != snapshot.Absent:
		prog.Origins, prog.OriginsWhy = "unknown", o.Reason
	}
	if d.Auth == "unknown" {
		prog.AuthWhy = a.Auth.Reason
	}
	b.doc.AgentPrograms = append(b.doc.AgentPrograms, prog)
	for i := range d.Services {
		b.agentListens(d, &d.Services[i], false)
	}
	for _, m := range d.Maybe {
		b.doc.AgentListeners = append(b.doc.AgentListeners, DocAgentListener{
			Agent: d.Key, Title: d.Title, Kind: d.Kind, Key: m.Key, Unclear: m.Reason, Open: map[string]string{}, Because: []string{}, Evidences: []string{},
		})
	}
	p := b.byPID[a.PID]
	for j := range b.snap.Listeners.Sockets {
		sk := &b.snap.Listeners.Sockets[j]
		svc := b.byService[j]
		if svc == nil || sk.Proto != "tcp" || len(sk.Owners) > 0 || p == nil || sk.UID != p.UID || !slices.Contains(a.Ports, sk.Port) ||
			p.NS.Net != 0 && sk.Netns != p.NS.Net || p.NS.Net == 0 && sk.Netns != b.snap.Network.HostNetns() {
			continue
		}
		if !slices.ContainsFunc(d.Services, func(o DocService) bool { return o.Key == svc.Key }) {
			b.agentListens(d, svc, true)
		}
	}
}

// agentListens adds one socket of an agent.
func (b *builder) agentListens(d *DocAgent, svc *DocService, guessed bool) {
	l := DocAgentListener{
		Agent: d.Key, Title: d.Title, Kind: d.Kind, Evidence: d.Evidence, Key: svc.Key, Port: svc.Port, Loopback: svc.Loopback,
		Inside: d.Container != "" && svc.Container == d.Container, Advice: d.Container != "", Guessed: guessed,
		Open: map[string]string{}, Because: []string{}, Evidences: []string{},
	}
	filtered := b.seen("nftables") && b.seen("network")
	for _, zone := range []string{zones.External, zones.Management, zones.Workload} {
		r, ok := svc.Reach[zone]
		switch {
		case !filtered:
			l.Open[zone] = string(packet.Unknown)
		case !ok:
			l.Open[zone] = string(packet.Unreachable)
		default:
			l.Open[zone] = string(r.Verdict)
			if r.Verdict == packet.Unknown {
				l.Because = append(l.Because, r.Because...)
			}
			if r.Verdict == packet.Reachable {
				l.Evidences = append(l.Evidences, fmt.Sprintf("reachable from the %s zone on %s: %s", zone, r.Origin, r.Witness))
			}
		}
	}
	if !filtered {
		l.Because = append(l.Because, "the packet filter was not read")
	}
	b.doc.AgentListeners = append(b.doc.AgentListeners, l)
}

// seen says whether a section was read, as a whole or in part.
func (b *builder) seen(section string) bool {
	st := b.snap.Section(section).Status
	return st == snapshot.OK || st == snapshot.Partial || st == snapshot.Absent
}
