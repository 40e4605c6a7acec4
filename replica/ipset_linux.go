//go:build linux && !ringfence_portable

package replica

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// ipsetKinds are the types of ipset that are made, and the type that stands for each: what differs is how the kernel
// keeps the elements.
var ipsetKinds = map[string]string{
	"hash:ip": "hash:ip", "bitmap:ip": "hash:ip", "hash:net": "hash:net", "hash:ip,port": "hash:ip,port", "hash:net,port": "hash:net,port",
	"hash:ip,port,ip": "hash:ip,port,ip", "hash:ip,port,net": "hash:ip,port,net", "hash:net,net": "hash:net,net", "hash:ip,mark": "hash:ip,mark",
	"hash:mac": "hash:mac", "hash:net,iface": "hash:net,iface", "bitmap:port": "bitmap:port", "list:set": "list:set",
}

// kindOf is the type of set that is made for one: where a mask made networks of its addresses, one of networks.
func kindOf(s *ruleset.IPSet) string {
	kind := ipsetKinds[s.Type]
	if s.Mask.IsValid() {
		return ""
	}
	if slices.ContainsFunc(s.Elements, func(e ruleset.IPSetElement) bool { return e.Net.IsValid() && !e.Net.IsSingleIP() }) {
		kind = strings.Replace(kind, "hash:ip", "hash:net", 1)
	}
	return kind
}

// maxIPSetIndex bounds the numbers of sets: rules name a set by its number, so that all below it are made too.
const maxIPSetIndex = 512

// ipsets makes the sets of ipset that rules look up: such a rule is refused without its set.
func (r *Replica) ipsets() error {
	if len(r.host.IPSets) == 0 {
		return nil
	}
	conn, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer conn.Close()
	var fillers []string
	made := map[string]bool{}
	next := 0
	for _, s := range byNumber(r.host.IPSets) {
		kind := kindOf(&s)
		if s.Index > maxIPSetIndex || kind == "" {
			return fmt.Errorf("ipset %s of type %s, number %d, is not copied", s.Name, s.Type, s.Index)
		}
		if made[s.Name] { // a rule names it, and a list
			continue
		}
		made[s.Name] = true
		for ; next < s.Index; next++ {
			name := fmt.Sprintf("rf-filler-%d", next)
			if err := vnl.IpsetCreate(name, "hash:ip", vnl.IpsetCreateOptions{}); err != nil {
				return fmt.Errorf("make ipset %s: %w", name, err)
			}
			fillers = append(fillers, name)
		}
		if err := vnl.IpsetCreate(s.Name, kind, vnl.IpsetCreateOptions{Family: uint8(s.Family), PortTo: 65535}); err != nil {
			return fmt.Errorf("make ipset %s: %w", s.Name, err)
		}
		next++
	}
	for _, s := range r.host.IPSets {
		s.Type = kindOf(&s)
		for j := range s.Elements {
			if err := fill(conn, &s, &s.Elements[j]); err != nil {
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

// byNumber orders sets as they have to be made: those that only lists name have no number of their own, and come last.
func byNumber(sets []ruleset.IPSet) []ruleset.IPSet {
	return slices.SortedStableFunc(slices.Values(sets), func(a, b ruleset.IPSet) int {
		return cmp.Compare(uint(a.Index), uint(b.Index))
	})
}

// fill adds an element to a set. What is there already is as good.
func fill(conn *netlink.Conn, s *ruleset.IPSet, e *ruleset.IPSetElement) error {
	m, err := wire.AddIPSetElement(s, e)
	if err == nil {
		_, err = conn.Execute(m)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add to ipset %s: %w", s.Name, err)
	}
	return nil
}
