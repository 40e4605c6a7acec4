//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// firewalldDirs have zones and services as files of XML (firewalld.zone(5), firewalld.service(5)); those of the administrator replace those of the
// package.
var firewalldDirs = []string{"/etc/firewalld", "/usr/lib/firewalld", "/usr/share/firewalld"}

// maxFirewalldFiles bounds the zones and services that are read.
const maxFirewalldFiles = 256

// firewalldZone is what of a zone or a service is understood. A zone that has one of the last is not worked out: rules, and helpers of
// connection tracking, which have rules of their own.
type firewalldZone struct {
	Ports       []firewalldPort     `xml:"port"`
	Services    []firewalldName     `xml:"service"`
	Includes    []firewalldIncluded `xml:"include"`
	Destination struct {
		V4 string `xml:"ipv4,attr"`
		V6 string `xml:"ipv6,attr"`
	} `xml:"destination"`
	Rules       []struct{} `xml:"rule"`
	Protocols   []struct{} `xml:"protocol"`
	SourcePorts []struct{} `xml:"source-port"`
	Helpers     []struct{} `xml:"helper"`
	Modules     []struct{} `xml:"module"`
}

// other says that it has something that is not worked out.
func (z *firewalldZone) other() bool {
	return len(z.Rules)+len(z.Protocols)+len(z.SourcePorts)+len(z.Helpers)+len(z.Modules) > 0
}

type firewalldPort struct {
	Port     string `xml:"port,attr"`
	Protocol string `xml:"protocol,attr"`
}

type firewalldName struct {
	Name string `xml:"name,attr"`
}

type firewalldIncluded struct {
	Service string `xml:"service,attr"`
}

// firewalldZones loads what the zones of the permanent configuration open: for each, the chain that firewalld makes of its ports and services.
func (s *Scan) firewalldZones(ctx context.Context, p *snapshot.Persisted) error {
	p.File = "/etc/firewalld"
	names, err := s.firewalldNames()
	if err != nil {
		return err
	}
	r := &firewalldReader{s: s}
	var text strings.Builder
	text.WriteString("table inet firewalld {\n")
	for _, name := range names {
		chain := "filter_IN_" + name + "_allow"
		rules, err := r.zone(name)
		switch {
		case errors.Is(err, errFirewalldForm):
			p.Left = append(p.Left, chain)
		case err != nil:
			return err
		default:
			fmt.Fprintf(&text, "chain %s {\n%s}\n", chain, strings.Join(rules, ""))
		}
	}
	if s.loadRuleset == nil {
		return errors.New("nobody was asked to load it")
	}
	ctx, cancel := context.WithTimeout(ctx, persistedTimeout)
	defer cancel()
	p.Ruleset, err = s.loadRuleset(ctx, RulesetText{Nft: []byte(text.String() + "}\n")})
	return err
}

// firewalldNames are the zones that there are; what is no name of a chain makes none.
func (s *Scan) firewalldNames() (names []string, err error) {
	for _, dir := range firewalldDirs {
		list, err := s.Host.ReadDir(path.Join(dir, "zones"))
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, n := range list {
			if name, ok := strings.CutSuffix(n, ".xml"); ok && firewalldWord.MatchString(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("firewalld has no zones")
	}
	slices.Sort(names)
	return names, nil
}

// firewalldReader reads files of firewalld, a bounded number of them.
type firewalldReader struct {
	s *Scan
	n int
}

var (
	firewalldWord    = lazily(`^[A-Za-z0-9_-]{1,64}$`)
	firewalldPorts   = lazily(`^[0-9]{1,5}(-[0-9]{1,5})?$`)
	errFirewalldForm = errors.New("it has rules of a form that is not worked out")
)

// read is a zone or a service by its name, of the first directory that has it.
func (r *firewalldReader) read(kind, name string) (*firewalldZone, error) {
	if !firewalldWord.MatchString(name) {
		return nil, errFirewalldForm
	}
	for _, dir := range firewalldDirs {
		file := path.Join(dir, kind, name+".xml")
		b, err := r.s.rootText(file)
		if gone(err) {
			continue
		}
		if r.n++; err == nil && r.n > maxFirewalldFiles {
			err = errors.New("firewalld has more files than are read")
		}
		if err != nil {
			return nil, err
		}
		z := new(firewalldZone)
		if xml.Unmarshal(b, z) != nil {
			return nil, fmt.Errorf("%s: %w", file, errMalformed)
		}
		return z, nil
	}
	return nil, errFirewalldForm
}

// zone is the rules of one zone, as nft takes them.
func (r *firewalldReader) zone(name string) ([]string, error) {
	z, err := r.read("zones", name)
	if err != nil {
		return nil, err
	}
	if z.other() {
		return nil, errFirewalldForm
	}
	rules, err := portRules(z.Ports, "")
	for _, srv := range z.Services {
		if err == nil {
			err = r.service(srv.Name, &rules, 0)
		}
	}
	return rules, err
}

// service adds the rules of a service, and of those that it includes.
func (r *firewalldReader) service(name string, rules *[]string, depth int) error {
	v, err := r.read("services", name)
	switch {
	case err != nil:
		return err
	case depth > 4 || v.other():
		return errFirewalldForm
	}
	var to []string
	for _, d := range []struct{ family, text string }{{"ip", v.Destination.V4}, {"ip6", v.Destination.V6}} {
		_, noPrefix := netip.ParsePrefix(d.text)
		_, noAddress := netip.ParseAddr(d.text)
		switch {
		case d.text == "":
		case noPrefix != nil && noAddress != nil:
			return errFirewalldForm
		default:
			to = append(to, d.family+" daddr "+d.text+" ")
		}
	}
	if len(to) == 0 {
		to = []string{""}
	}
	for _, t := range to {
		list, err := portRules(v.Ports, t)
		if err != nil {
			return err
		}
		*rules = append(*rules, list...)
	}
	for _, inc := range v.Includes {
		if err := r.service(inc.Service, rules, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// portRules are rules that accept ports for a destination.
func portRules(ports []firewalldPort, to string) (rules []string, err error) {
	for _, p := range ports {
		if !firewalldPorts.MatchString(p.Port) || !slices.Contains([]string{"tcp", "udp", "sctp", "dccp"}, p.Protocol) {
			return nil, errFirewalldForm
		}
		rules = append(rules, to+p.Protocol+" dport "+p.Port+" accept\n")
	}
	return rules, nil
}
