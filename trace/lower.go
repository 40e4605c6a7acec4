package trace

import (
	"slices"

	"github.com/ringfence/ringfence/packet"
)

// below is what a packet passed before it was one of the interface's: the port of a bridge or bond that
// it came in by, or the interface under a VLAN, where anything can stop packets there.
func (w *walk) below(in *link) (Fate, bool) {
	if l := in.lower; l != nil && w.filtered(l, packet.Ingress) {
		w.abort(nil, "packets for "+in.Name+" pass the filters of "+l.Name+" first")
		return Fate{}, false
	}
	if !w.filteredPorts(in, packet.Ingress) {
		return Fate{}, true
	}
	port := in.ports[w.choose(len(in.ports), nil, "the port of "+in.Name+" that the packet came in by")]
	w.in = port
	if f, ok := w.passes(port, packet.Ingress); !ok {
		return f, false
	}
	if k := w.runHook(hookKey{hook: packet.Ingress, kind: 'n', dev: port.Name}); k != vAccept {
		return w.refused(k), false
	}
	if in.Kind == "bridge" {
		f, ok := w.bridgeIn(port, in)
		if !ok {
			return f, false
		}
		w.inside = true
	}
	w.in = in
	return Fate{}, true
}

// filtered says whether anything can stop packets of an interface at its hook: chains, XDP, traffic control.
func (w *walk) filtered(l *link, hook packet.Hook) bool {
	return l.disturbed(hook) != "" || len(w.hooks[hookKey{hook: hook, kind: 'n', dev: l.Name}]) > 0
}

// filteredPorts says whether it matters by which port a packet of a bridge or bond comes or goes.
func (w *walk) filteredPorts(l *link, hook packet.Hook) bool {
	known := &l.filteredIn
	if hook == packet.Egress {
		known = &l.filteredOut
	}
	if *known == nil {
		is := l.Kind != "vrf" && slices.ContainsFunc(l.ports, func(p *link) bool {
			return l.Kind == "bridge" && w.bridged || w.filtered(p, hook)
		})
		*known = &is
	}
	return **known
}

// above is the port or the interface below that a packet leaves by, after the interface's own hooks.
func (w *walk) above(out *link) (Fate, bool) {
	if l := out.lower; l != nil && w.filtered(l, packet.Egress) {
		w.abort(nil, "packets of "+out.Name+" pass the filters of "+l.Name+" last")
		return Fate{}, false
	}
	if out.Kind == "bridge" {
		if why := w.closed(out); why != "" && w.choose(2, nil, why) == 1 {
			return w.drop("bridge-port"), false
		}
	}
	if !w.filteredPorts(out, packet.Egress) {
		return Fate{}, true
	}
	ports := out.ports
	if i := slices.IndexFunc(ports, func(p *link) bool { return p.Name == w.p.Out }); i >= 0 { // where the neighbour is said to be
		ports = ports[i : i+1]
	}
	port := ports[w.choose(len(ports), nil, "the port of "+out.Name+" that the packet leaves by")]
	if out.Kind == "bridge" {
		if f, ok := w.bridgeOut(port); !ok {
			return f, false
		}
	}
	w.in, w.out = nil, port
	if !w.tells(port) && !w.undisturbed(port, packet.Egress) {
		return Fate{}, false
	}
	if k := w.runHook(hookKey{hook: packet.Egress, kind: 'n', dev: port.Name}); k != vAccept {
		return w.refused(k), false
	}
	return w.passes(port, packet.Egress)
}

// undisturbed says whether no program outside the model takes packets of the interface at its hook.
func (w *walk) undisturbed(l *link, hook packet.Hook) bool {
	if why := l.disturbed(hook); why != "" {
		w.abort(nil, why)
	}
	return w.stuck == nil
}

// disturbed names a program that can take packets of the interface at its hook. XDP sees them come in only.
func (l *link) disturbed(hook packet.Hook) string {
	if l.XDP && hook == packet.Ingress {
		return "an XDP program is attached to " + l.Name
	}
	for _, tc := range l.TC {
		if tc != "clsact" && tc != "ingress" {
			return "traffic control on " + l.Name + ": " + tc
		}
	}
	if l.TCUnread != "" {
		return "traffic control on " + l.Name + " was not read: " + l.TCUnread
	}
	return ""
}

// Entries are the ports of a bridge by which frames for the host come in, but for some, where it matters which one it is; else the interface
// itself.
func (t *Tracer) Entries(name string, but []string) []string {
	l := t.names[name]
	if l == nil || l.Kind != "bridge" || !t.walk.filteredPorts(l, packet.Ingress) {
		return []string{name}
	}
	var out []string
	for _, p := range l.ports {
		if p.Up && !slices.Contains(but, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}
