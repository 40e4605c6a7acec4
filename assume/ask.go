package assume

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/words"
)

// Zones are the zones that packets come from and lead to.
var Zones = []string{"management", "runtime", "workload", "external"}

// Kinds are those whom a question about paths can be about at once.
var Kinds = []string{"workload", "agent", "service", "account"}

// Goals are what a question about paths can lead to.
var Goals = map[string]string{"root@host": "root", "filter@host": "filter", "secret@host": "secret"}

func (r *Reach) check() error {
	if err := place("from", r.From, "host"); err != nil {
		return err
	}
	if r.Answer != "reachable" && r.Answer != "unreachable" {
		return fmt.Errorf("reach: answer %q: want reachable or unreachable", r.Answer)
	}
	if r.To != "services" && len(r.Except) > 0 {
		return fmt.Errorf("reach: except goes with to: services, not %q", r.To)
	}
	for _, p := range r.Except {
		if _, _, ok := Port(p); !ok {
			return fmt.Errorf("reach: except %q: want a port such as 53/udp", p)
		}
	}
	if r.To == "services" && !strings.HasPrefix(r.From, "zone:") {
		return fmt.Errorf("reach: from %q to services: want zone:NAME", r.From)
	}
	if r.From == "host" && (r.To == "services" || strings.HasPrefix(r.To, "port:")) {
		return fmt.Errorf("reach: from host to %s: what the host sends itself is no flow", r.To)
	}
	switch port, isPort := strings.CutPrefix(r.To, "port:"); {
	case r.To == "host" || r.To == "services":
		return nil
	case isPort:
		if _, _, ok := Port(port); !ok {
			return fmt.Errorf("reach: to %q: want a port such as port:22/tcp", r.To)
		}
		return nil
	case strings.HasPrefix(r.To, "addr:"):
		if _, err := netip.ParseAddr(strings.TrimPrefix(r.To, "addr:")); err != nil {
			return fmt.Errorf("reach: to %q: want addr:IP", r.To)
		}
		return nil
	default:
		return place("to", r.To, "host, services, port:22/tcp, addr:IP")
	}
}

// place checks zone:NAME and iface:NAME.
func place(what, s, others string) error {
	if s == "host" && what == "from" {
		return nil
	}
	if zone, ok := strings.CutPrefix(s, "zone:"); ok {
		if slices.Contains(Zones, zone) {
			return nil
		}
		return fmt.Errorf("reach: %s %q: %w", what, s, words.Wrong(zone, Zones))
	}
	if name, ok := strings.CutPrefix(s, "iface:"); ok && name != "" {
		return nil
	}
	return fmt.Errorf("reach: %s %q: want zone:NAME, iface:NAME, %s", what, s, others)
}

// Port reads a port with its protocol: 22/tcp.
func Port(s string) (proto string, port int, ok bool) {
	m := portText.FindStringSubmatch(s)
	if m == nil {
		return "", 0, false
	}
	port, err := strconv.Atoi(m[1])
	return m[2], port, err == nil && port > 0 && port < 1<<16
}

// String is the question in words.
func (r *Reach) String() string {
	s := fmt.Sprintf("from %s to %s", r.From, r.To)
	if len(r.Except) > 0 {
		s += " but " + strings.Join(r.Except, ", ")
	}
	return s + ": " + r.Answer
}

func (p *Path) check() error {
	if Goals[p.To] == "" {
		return fmt.Errorf("path: to %q: want root@host, filter@host or secret@host", p.To)
	}
	if p.Answer != "none" && p.Answer != "some" {
		return fmt.Errorf("path: answer %q: want none or some", p.Answer)
	}
	if kind, ok := strings.CutPrefix(p.From, "kind:"); ok && !slices.Contains(Kinds, kind) {
		return fmt.Errorf("path: from %q: %w", p.From, words.Wrong(kind, Kinds))
	}
	if zone, ok := strings.CutPrefix(p.From, "zone:"); ok && zone != "workload" {
		return fmt.Errorf("path: from %q: principals are of zone:workload alone", p.From)
	}
	if p.From == "" {
		return fmt.Errorf("path: no from: want any, zone:workload, kind:agent, or the key of a principal")
	}
	return nil
}

// String is the question in words.
func (p *Path) String() string { return fmt.Sprintf("from %s to %s: %s", p.From, p.To, p.Answer) }
