package finding

import (
	"fmt"
	"slices"
	"strings"
)

// way is whether a zone reaches a socket, or another zone, over all interfaces and families.
type way struct {
	verdict string
	witness string
	service *Service // nil for a way through the host
	from    string   // zone
	object  string
}

// firstEphemeral is where the kernel begins to give out ports by itself (ip_local_port_range in ip(7)): a program that listens there has
// another one after its next start.
const firstEphemeral = 32768

// readWays reads the ways of a report.
func (s *side) readWays() {
	for i := range s.r.Exposures {
		e := &s.r.Exposures[i]
		port := fmt.Sprint(e.Service.Port)
		if e.Service.Port >= firstEphemeral {
			port = "ephemeral"
		}
		object := e.Service.Key()
		owner, namespace := s.sameContainer(e.Service.Owner), s.sameContainer(e.Service.Namespace)
		s.way(strings.Join([]string{e.Service.Proto, e.Service.Address, port, owner, namespace, e.Zone}, "\x00"),
			way{e.Verdict, e.Witness, &e.Service, e.Zone, object})
	}
	for f := range s.r.EachForward() {
		s.way(strings.Join([]string{"forward", f.FromZone, f.ToZone}, "\x00"), way{f.Verdict, f.Witness, nil, f.FromZone, "the " + f.ToZone + " zone"})
	}
}

// way joins what is known of one way: open somewhere is open, not known somewhere is not known.
func (s *side) way(key string, w way) {
	was := s.reach[key]
	if was == nil {
		s.ways = append(s.ways, key)
		if w.service != nil {
			to := eitherFamily(w.object)
			s.to[to] = append(s.to[to], key)
		}
		s.reach[key] = &w
		return
	}
	if openness(w.verdict) > openness(was.verdict) {
		*was = w
	}
}

func openness(verdict string) int {
	return slices.Index([]string{"unreachable", Unknown, "reachable"}, verdict)
}

// widened says whether the ways tell a finding: each zone of it reaches its socket by a way that was not open before, and is told with this finding.
func (c *comparison) widened(e *entry) bool {
	zones := e.f.AllZones()
	return len(zones) > 0 && !slices.ContainsFunc(zones, func(z string) bool { return !c.openedFrom(e, z, true) })
}

// socketsOf are the sockets that a finding is about, by their keys: the one of its key, or those of the program that its key names.
func (s *side) socketsOf(e *entry) []string {
	if e.f.Resource.Kind != "service" {
		return nil
	}
	if key := eitherFamily(e.f.Resource.Key); len(s.to[key]) > 0 {
		return []string{key}
	}
	program := s.sameContainer(e.f.Resource.Key)
	var list []string
	for _, of := range s.ways {
		w := s.reach[of]
		if w.service == nil {
			continue
		}
		owner, key := s.sameContainer(w.service.Owner), eitherFamily(w.object)
		if (program == owner || strings.HasPrefix(program, owner+" of ")) && !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	return list
}

// openedFrom says whether a way from a zone to the socket of a finding was opened, and if with is set whether it is told with this finding.
func (c *comparison) openedFrom(e *entry, zone string, with bool) bool {
	return slices.ContainsFunc(c.new.socketsOf(e), func(socket string) bool {
		return slices.ContainsFunc(c.new.to[socket], func(key string) bool {
			w := c.new.reach[key]
			return w.from == zone && c.opened(key) && (!with || c.about(c.new, w) == e)
		})
	})
}

// opened says whether a way is open that was not.
func (c *comparison) opened(key string) bool {
	was := c.old.reach[key]
	return c.new.reach[key].verdict == "reachable" && was != nil && was.verdict != "reachable"
}

// exposures compares the ways. What becomes of all addresses of IPv4 and of IPv6 is one change, as it is one finding.
func (c *comparison) exposures() {
	at := map[[3]string]int{} // where a change of a class, a zone and a socket is told
	for _, key := range c.new.ways {
		w, was := c.new.reach[key], c.old.reach[key]
		change := Change{Object: w.object, Zone: w.from, Witness: w.witness}
		if id := c.about(c.new, w); id != nil {
			change.Check, change.Severity, change.Fingerprint = id.res.ID, id.f.Severity, id.f.Fingerprint
		}
		switch {
		case c.opened(key):
			change.Class, change.Message = Wider, fmt.Sprintf("%s is reachable from the %s zone", w.object, w.from)
		case w.verdict == Unknown && was != nil && was.verdict != Unknown:
			change.Class, change.Message = CoverageWorse, fmt.Sprintf("it is not known any more whether the %s zone reaches %s", w.from, w.object)
		case w.verdict == "unreachable" && was != nil && was.verdict == "reachable" && !c.told(was):
			change.Check, change.Severity, change.Fingerprint = "", "", "" // the finding is there still
			change.Class, change.Message = Fixed, fmt.Sprintf("the %s zone does not reach %s any more", w.from, w.object)
		default:
			continue
		}
		one := [3]string{change.Class, w.from, eitherFamily(w.object)}
		if i, other := at[one]; other && w.service != nil {
			c.d.Changes[i].Message += "; also " + w.object
			continue
		}
		at[one] = len(c.d.Changes)
		c.d.Changes = append(c.d.Changes, change)
	}
}

// told says whether a way of before was told by a finding that is gone with it, or that is about this socket alone.
func (c *comparison) told(was *way) bool {
	e := c.about(c.old, was)
	return e != nil && (e.other == nil || len(c.old.to[eitherFamily(e.f.Resource.Key)]) > 0)
}

// about is the finding about a way.
func (c *comparison) about(s *side, w *way) *entry {
	if w.service == nil {
		return nil
	}
	for _, e := range s.sockets[eitherFamily(w.object)] {
		if !e.f.Waiver.Holds() && slices.Contains(e.f.AllZones(), w.from) {
			return e
		}
	}
	return nil
}
