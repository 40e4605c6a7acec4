//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// switches are those of a network namespace as a whole, and of each interface by family.
type switches struct {
	whole []string
	named []string            // interfaces that stand for all or for new ones
	links map[string][]string // by family
}

// hostSwitches are those that decide forwarding and filtering on the host.
var hostSwitches = switches{whole: snapshot.NetworkSysctls, named: []string{"all", "default"}, links: snapshot.LinkSysctls}

// unasked are switches of interfaces that no question about packets asks for.
var unasked = []string{"accept_source_route", "accept_redirects", "arp_ignore", "accept_ra"}

// elsewhereSwitches are those that questions about another namespace ask for, apart from those of conntrack, which are read where there are rules: the
// kernel takes long to find a file of one among those of many.
func elsewhereSwitches(links []snapshot.Link) switches {
	sw := switches{named: []string{"all"}, links: map[string][]string{}}
	for family, list := range hostSwitches.links {
		sw.links[family] = slices.DeleteFunc(slices.Clone(list), func(k string) bool { return slices.Contains(unasked, k) })
	}
	if slices.ContainsFunc(links, func(l snapshot.Link) bool { return l.Kind == "bridge" }) {
		sw.whole = []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"}
	}
	return sw
}

// linkConfs asks rtnetlink for the switches of all interfaces of a namespace, by name: one question in place of fourteen files for each. What
// it does not tell is read from the files; what ports of bridges let over is told here alone.
func (r *netReader) linkConfs() (map[string]wire.DevConf, error) {
	list, err := listOf(r, wire.ListLinks(), wire.ParseDevConf)
	if err != nil {
		return nil, fmt.Errorf("list switches of links: %w", err)
	}
	told := make(map[string]wire.DevConf, len(list))
	for _, c := range list {
		told[c.Name] = c
	}
	return told, nil
}

// networkSysctls reads the switches of a namespace and of its interfaces by name. /proc/sys/net shows the namespace of the
// reading thread, unlike /sys. told is what the kernel said of interfaces besides.
func (s *Scan) networkSysctls(sw *switches, names []string, told map[string]wire.DevConf) map[string]snapshot.Fact {
	r := sysctlReader{s: s, sw: sw, facts: map[string]snapshot.Fact{}}
	for _, k := range sw.whole {
		r.facts[k] = s.fact("/proc/sys/" + k)
	}
	for _, n := range slices.Concat(sw.named, names) {
		if n == "." || n == ".." || strings.ContainsAny(n, "/") {
			continue // not a directory name that an interface can have here
		}
		r.link("ipv4", n, told[n].V4)
		r.link("ipv6", n, told[n].V6)
	}
	return r.facts
}

// sysctlReader reads files below /proc/sys/net in one namespace.
type sysctlReader struct {
	s     *Scan
	sw    *switches
	facts map[string]snapshot.Fact
}

// link notes the switches of an interface in one family. A switch that the kernel told counts if the namespace has its file; what
// the kernel has no files of is absent, whatever it tells. The kernel keeps the directories of all namespaces in one list, so that one is
// looked up once for all its files.
func (r *sysctlReader) link(family, name string, told map[string]int32) {
	var dir *host.Dir
	for _, k := range r.sw.links[family] {
		key := "net/" + family + "/conf/" + name + "/" + k
		all := r.facts["net/"+family+"/conf/all/"+k]
		if v, ok := told[k]; ok && all.State == snapshot.Present && name != "all" && name != "default" {
			r.facts[key] = snapshot.Fact{State: snapshot.Present, Value: strconv.Itoa(int(v))}
			continue
		}
		if dir == nil {
			at, err := r.s.Host.OpenDir("/proc/sys/" + path.Dir(key))
			if err != nil {
				r.facts[key] = toFact("", err)
				continue
			}
			defer at.Close()
			dir = at
		}
		b, err := dir.ReadFile(k)
		r.facts[key] = toFact(string(b), err)
	}
}
