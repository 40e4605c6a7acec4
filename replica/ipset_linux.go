package replica

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	vnl "github.com/vishvananda/netlink"

	"github.com/ringfence/ringfence/ruleset"
)

// ipsetKinds are the types of ipset that are made, and the type that stands for each: what differs is how the kernel
// keeps the elements.
var ipsetKinds = map[string]string{
	"hash:ip": "hash:ip", "bitmap:ip": "hash:ip", "hash:net": "hash:net", "hash:ip,port": "hash:ip,port", "hash:net,port": "hash:net,port",
	"hash:ip,port,ip": "hash:ip,port,ip", "hash:ip,port,net": "hash:ip,port,net", "hash:net,net": "hash:net,net", "hash:ip,mark": "hash:ip,mark",
	"hash:mac": "hash:mac", "hash:net,iface": "hash:net,iface",
}

// maxIPSetIndex bounds the numbers of sets: rules name a set by its number, so that all below it are made too.
const maxIPSetIndex = 512

// ipsets makes the sets of ipset that rules look up: such a rule is refused without its set.
func (r *Replica) ipsets() error {
	sets := slices.Clone(r.host.IPSets)
	slices.SortFunc(sets, func(a, b ruleset.IPSet) int { return a.Index - b.Index })
	var fillers []string
	next := 0
	for i := range sets {
		s := &sets[i]
		kind := ipsetKinds[s.Type]
		if s.Index < 0 || s.Index > maxIPSetIndex || kind == "" {
			return fmt.Errorf("ipset %s of type %s, number %d, is not copied", s.Name, s.Type, s.Index)
		}
		for ; next < s.Index; next++ {
			name := fmt.Sprintf("rf-filler-%d", next)
			if err := vnl.IpsetCreate(name, "hash:ip", vnl.IpsetCreateOptions{}); err != nil {
				return fmt.Errorf("make ipset %s: %w", name, err)
			}
			fillers = append(fillers, name)
		}
		if err := vnl.IpsetCreate(s.Name, kind, vnl.IpsetCreateOptions{Family: uint8(s.Family)}); err != nil {
			return fmt.Errorf("make ipset %s: %w", s.Name, err)
		}
		next++
		for j := range s.Elements {
			if err := fill(s, kind, &s.Elements[j]); err != nil {
				return err
			}
		}
	}
	for _, name := range fillers {
		if err := vnl.IpsetDestroy(name); err != nil {
			return fmt.Errorf("remove ipset %s: %w", name, err)
		}
	}
	return nil
}

// fill adds an element to a set.
func fill(s *ruleset.IPSet, kind string, e *ruleset.IPSetElement) error {
	if e.NoMatch {
		return fmt.Errorf("ipset %s: elements that are marked as no match are not copied", s.Name)
	}
	entry := &vnl.IPSetEntry{IFace: e.Iface}
	parts := s.Parts()
	address := func(p netip.Prefix, part string) (net.IP, uint8) {
		if !p.IsValid() {
			return nil, 0
		}
		if part == "net" {
			return p.Addr().AsSlice(), uint8(p.Bits())
		}
		return p.Addr().AsSlice(), 0
	}
	entry.IP, entry.CIDR = address(e.Net, parts[0])
	entry.IP2, entry.CIDR2 = address(e.Net2, parts[len(parts)-1])
	if slices.Contains(parts, "port") {
		entry.Port, entry.Protocol = &e.Port, &e.Proto
	}
	if slices.Contains(parts, "mark") {
		entry.Mark = &e.Mark
	}
	if strings.HasSuffix(kind, "mac") {
		mac, err := net.ParseMAC(e.MAC)
		if err != nil {
			return fmt.Errorf("ipset %s: %w", s.Name, err)
		}
		entry.MAC = mac
	}
	if err := vnl.IpsetAdd(s.Name, entry); err != nil {
		return fmt.Errorf("add to ipset %s: %w", s.Name, err)
	}
	return nil
}
