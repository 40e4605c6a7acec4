package reach

import (
	"fmt"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// AlikeBeside names all that decides about frames from one port of a bridge to another: StoppedBeside says the same of all pairs of one name, but
// for the ports that it names. It is "" of a pair that has to be asked about by itself.
func (m *Model) AlikeBeside(from, to int) string {
	e, o := m.newEngine(), packet.Origin{Index: from}
	hops := e.hops(&Question{From: []packet.Origin{o}, To: Target{Oifs: []int{to}}}, o)
	if len(hops) != 1 || len(hops[0].to) != 1 || hops[0].to[0].More || len(hops[0].to[0].Steps) != 1 {
		return ""
	}
	if m.asksForPhysdev() {
		return ""
	}
	for _, h := range []packet.Hook{packet.Prerouting, packet.Forward, packet.Postrouting} {
		for _, bc := range e.bridgeChains(h) {
			if asksForPort(bc.table) {
				return ""
			}
		}
	}
	step := hops[0].to[0].Steps[0]
	in, out := e.plainPort(step[0], packet.Ingress), e.plainPort(step[1], packet.Egress)
	if in == "" || out == "" {
		return ""
	}
	return in + " > " + out
}

// plainPort is what a bridge knows of a port, "" of one with something of its own on the way.
func (e *engine) plainPort(l *snapshot.Link, hook packet.Hook) string {
	filters, nats := e.baseChains(hook, true, l.Name)
	if len(filters)+len(nats)+len(e.surroundings(l.Index, hook)) > 0 {
		return ""
	}
	return fmt.Sprint(l.Master, l.Up, l.Blocking, l.Isolated, l.Locked, l.PVID, l.VLANs)
}
