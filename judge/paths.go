package judge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// DocPath is whether a principal of the host gets to a goal: root, filter or secret.
type DocPath struct {
	Key  string `json:"key"`  // of the principal: container web, service cron.service, account bob; stays when it is started again
	Name string `json:"name"` // of the principal, as people call it
	Kind string `json:"kind"` // workload, agent, service, account
	UID  int    `json:"uid"`  // of the principal, on the host
	Goal string `json:"goal"` // root, filter (rewriting the host's packet filter), secret (reading its passwords or private keys)
	Text string `json:"text"` // the goal in words
	// Verdict is yes, no or unknown; Steps are the way there, Because why it is unknown.
	Verdict string   `json:"verdict"`
	Steps   []string `json:"steps"`   // in words, in their order; empty where no way is known
	Because []string `json:"because"` // empty unless it is unknown
	// Trigger is when the way is open: none is at once, then timer, restart, login, and operator if a person helps.
	Trigger string `json:"trigger"`
	// Cut is what to change so that no way is left that is known.
	Cut []string `json:"cut"`
	// Unsearched: it is unknown because set-id programs outside of the directories of packages were not looked for, and for nothing else.
	Unsearched bool `json:"unsearched"`
	// WithRoot: it gets there since it becomes root, which is told of.
	WithRoot bool `json:"withRoot"`
	// Meant is why somebody is meant to get there, "" if it is not known to be.
	Meant string `json:"meant"`
}

// apis are the interfaces of runtimes on the network that give root or a user to whoever reaches them.
func (b *builder) apis() (list []power.API) {
	for i := range b.doc.Services {
		svc := &b.doc.Services[i]
		if svc.Class != classRuntime && svc.Class != classKubelet || svc.TLSVerify == "true" || svc.givesUID == inContainer {
			continue
		}
		a := power.API{Name: svc.Key, UID: svc.givesUID}
		if svc.TLSVerify != "false" {
			a.Unsure = "whether " + svc.Key + " asks for client certificates was not seen"
		}
		if svc.Namespace != "" {
			a.Unsure = svc.Key + " is in a network of its own, and who is there was not told apart"
		}
		a.Workloads, a.Because = b.fromWorkloads(svc)
		list = append(list, a)
	}
	return append(list, b.debuggers()...)
}

// debuggers are the sockets of programs of the host that let who connects direct them: debuggers, browsers that are remote controlled, and gateways and
// tools of agents that ask for nothing.
func (b *builder) debuggers() (list []power.API) {
	type debugger struct {
		name  string
		ports []int
	}
	by := map[int]debugger{}
	for i := range b.snap.Management.Servers {
		if v := &b.snap.Management.Servers[i]; v.Role == snapshot.RoleDebug && v.PID > 0 && v.Container == "" {
			by[v.PID] = debugger{v.Name, v.Ports}
		}
	}
	for i := range b.snap.Agents.Instances {
		a := &b.snap.Agents.Instances[i]
		if asks := cmp.Or(a.Auth.Value, a.DefaultAuth); a.Container == "" && asks == "none" && slices.Contains([]string{"browser", "gateway", "tool"}, a.Kind) {
			by[a.PID] = debugger{a.Title, a.Ports}
		}
	}
	for i := range b.snap.Listeners.Sockets {
		sk, svc := &b.snap.Listeners.Sockets[i], b.byService[i]
		if svc == nil || svc.givesUID == inContainer || svc.Namespace != "" {
			continue
		}
		for _, o := range sk.Owners {
			d, ok := by[o.PID]
			if !ok || len(d.ports) > 0 && !slices.Contains(d.ports, sk.Port) {
				continue
			}
			a := power.API{Name: svc.Key, UID: svc.givesUID, Unsure: fmt.Sprintf("what %s on %s lets who connects do was not followed", d.name, svc.Key)}
			a.Workloads, a.Because = b.fromWorkloads(svc)
			list = append(list, a)
			break
		}
	}
	return list
}

// fromWorkloads says whether workloads with a network of their own reach a service. They come by interfaces of the workload zone, and those that have
// an interface beside the host's come as whoever is outside.
func (b *builder) fromWorkloads(svc *DocService) (v power.Verdict, because string) {
	v = power.No
	for _, zone := range []string{zones.External, zones.Workload} {
		switch r, asked := svc.Reach[zone]; {
		case !asked, r.Verdict == packet.Unreachable, r.Local:
		case zone == zones.Workload && r.Verdict == packet.Reachable && b.oneNetwork():
			return power.Yes, ""
		case r.Verdict == packet.Reachable:
			v, because = power.Unknown, fmt.Sprintf("the %s zone reaches it by %s, and which workloads come that way was not told apart", zone, r.Origin)
		default:
			v, because = power.Unknown, strings.Join(r.Because, "; ")
		}
	}
	return v, because
}

// oneNetwork says whether all workloads come by one interface.
func (b *builder) oneNetwork() bool {
	names := map[string]bool{}
	for i := range b.zones.Origins {
		if o := &b.zones.Origins[i]; o.Zone == zones.Workload && !o.Local {
			names[o.Interface] = true
		}
	}
	return len(names) == 1
}

// Paths asks for the principals of a snapshot, or one of them by its name or key, whether they get to all goals, or to one.
func Paths(ctx context.Context, s *snapshot.Snapshot, cfg zones.Config, from string, to power.Goal) ([]power.Answer, error) {
	b := newBuilder(ctx, s, cfg, exposure.Limits{})
	b.services()
	return power.New(s, b.apis()).Select(power.Principals(s, b.zones), from, to)
}

// paths asks for each principal whether it gets to each goal. It is asked if the files of the host were looked at.
func (b *builder) paths() {
	b.doc.Paths = []DocPath{}
	if c := b.snap.Section("powers"); c.Status != snapshot.OK && c.Status != snapshot.Partial {
		return
	}
	g := power.New(b.snap, b.apis())
	for _, p := range power.Principals(b.snap, b.zones) {
		root := false
		for _, a := range g.Ask(p) {
			d := DocPath{
				Key: p.Key, Name: p.Name, Kind: string(p.Kind), UID: p.State.UID, Goal: string(a.Goal), Text: a.Goal.Text(), Verdict: string(a.Verdict),
				Steps: []string{}, Because: orEmpty(a.Because), Trigger: string(a.Trigger), Cut: orEmpty(a.Cut), Unsearched: a.Unsearched, Meant: p.Meant,
			}
			for _, e := range a.Path {
				if e.Text != "" {
					d.Steps = append(d.Steps, e.Text)
				}
			}
			root = root || a.Goal == power.Root && a.Verdict == power.Yes
			d.WithRoot = root && a.Goal != power.Root
			b.doc.Paths = append(b.doc.Paths, d)
		}
	}
}
