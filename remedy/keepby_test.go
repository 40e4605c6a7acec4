package remedy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// onLinks is sshOn with addresses of the link on two interfaces, and somebody who is logged in by one of them.
func onLinks(addrs map[string]string) *snapshot.Snapshot {
	s := sshOn(22)
	links := slices.Clone(s.Network.Links)
	for i := range links {
		if a := addrs[links[i].Name]; a != "" {
			links[i].Addrs = append(slices.Clone(links[i].Addrs), a)
		}
	}
	s.Network.Links = links
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: "[fe80::9]:50000", Local: "[fe80::1]:22", LoggedIn: snapshot.Yes}}
	return s
}

// letsIn are the interfaces by which a plan lets an address in to port 22, "" for any.
func letsIn(p *Plan, chain, from string) (list []string) {
	for _, r := range p.each() {
		if r.Accept && r.Chain == chain && r.Port == 22 && covers(r.Sources, netip.MustParseAddr(from)) {
			list = append(list, r.Iif)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestLoginByALinkIsKeptOnThatLink: on another link anybody can take the address of who is logged in, and gets answers there.
func TestLoginByALinkIsKeptOnThatLink(t *testing.T) {
	cfg := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for _, c := range []struct {
		addrs map[string]string
		want  []string
	}{
		{map[string]string{"ext0": "fe80::1/64", "mgmt0": "fe80::2/64"}, []string{"ext0"}},
		{map[string]string{"ext0": "fe80::1/64", "mgmt0": "fe80::1/64"}, []string{"ext0", "mgmt0"}}, // it is one of them
	} {
		p := Make(asked(zones.External, 22), onLinks(c.addrs), cfg, Options{})
		if got := letsIn(p, chainIn, "fe80::9"); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q\n%s", c.addrs, got, p.Ruleset)
		}
		p = Make(asked(zones.External, 22), onLinks(c.addrs), cfg, Options{Mode: DefaultDeny})
		if got := letsIn(p, chainInput, "fe80::9"); !slices.Equal(got, c.want) {
			t.Errorf("default-deny, %v: %q\n%s", c.addrs, got, p.Ruleset)
		}
	}
	s := onLinks(map[string]string{"ext0": "fe80::1/64"})
	p := Make(asked(zones.External, 22), s, zones.Config{zones.External: {Interfaces: []string{"mgmt0"}}, zones.Workload: {Interfaces: []string{"ext0"}}}, Options{AllowFrom: prefixes("192.0.2.0/24")})
	if len(p.Closes) == 0 || !slices.Equal(p.Closes[0].Except, prefixes("192.0.2.0/24")) {
		t.Errorf("who is on another link is told to keep access: %+v", p.Closes)
	}
}

// TestLoginByARoutedLinkLocalAddressIsKept: 169.254.0.0/16 is routed as other addresses are, and the host takes what is sent there to any of its addresses: which
// link has the one that was sent to says nothing of where it came in. So it is of what an address of a link sends to one that is none.
func TestLoginByARoutedLinkLocalAddressIsKept(t *testing.T) {
	cfg := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for remote, local := range map[string]string{"169.254.1.9": "10.10.0.1", "fe80::9": "2001:db8:1::1"} {
		s := onLinks(map[string]string{"ext0": "169.254.1.1/24", "mgmt0": "2001:db8:1::1/64"})
		ext := s.Network.LinkNamed("ext0").Index
		s.Network.Routes = append(slices.Clone(s.Network.Routes), snapshot.Route{Type: "unicast", Table: 254, Dst: "169.254.1.0/24", Oifs: []int{ext}})
		s.SSH.Sessions = []snapshot.SSHSession{{
			Remote: netip.AddrPortFrom(netip.MustParseAddr(remote), 50000).String(), Local: netip.AddrPortFrom(netip.MustParseAddr(local), 22).String(), LoggedIn: snapshot.Yes,
		}}
		for mode, chain := range map[string]string{Targeted: chainIn, DefaultDeny: chainInput} {
			p := Make(asked(zones.External, 22), s, cfg, Options{Mode: mode})
			got := letsIn(p, chain, remote)
			if !slices.Contains(got, "ext0") && !slices.Equal(got, []string{""}) {
				t.Errorf("%s to %s, %s: kept by %q alone\n%s", remote, local, mode, got, p.Ruleset)
			}
		}
	}
}

// TestKernelTellsTheLinkOfALogin: of an address of a link it binds the connection to the interface, also where others have the address that was sent to.
func TestKernelTellsTheLinkOfALogin(t *testing.T) {
	cfg := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for _, local := range []string{"fe80::1", "2001:db8:1::1"} {
		s := onLinks(map[string]string{"ext0": "fe80::1/64", "mgmt0": "fe80::1/64"})
		remote := netip.MustParseAddr("fe80::9").WithZone(strconv.Itoa(s.Network.LinkNamed("ext0").Index))
		s.SSH.Sessions[0].Remote = netip.AddrPortFrom(remote, 50000).String()
		s.SSH.Sessions[0].Local = netip.AddrPortFrom(netip.MustParseAddr(local), 22).String()
		for mode, chain := range map[string]string{Targeted: chainIn, DefaultDeny: chainInput} {
			p := Make(asked(zones.External, 22), s, cfg, Options{Mode: mode})
			if got := letsIn(p, chain, "fe80::9"); !slices.Equal(got, []string{"ext0"}) {
				t.Errorf("to %s, %s: kept by %q\n%s", local, mode, got, p.Ruleset)
			}
		}
	}
}

// TestAddressOfALinkNamesItsInterface: of who is asked to be kept by such an address the interface can be told.
func TestAddressOfALinkNamesItsInterface(t *testing.T) {
	opt, err := ParseOptions(nil, []string{"tcp/22@fe80::9%ext0"})
	if err != nil {
		t.Fatal(err)
	}
	s := onLinks(map[string]string{"ext0": "fe80::1/64", "mgmt0": "fe80::2/64"})
	s.SSH.Sessions = nil
	cfg := zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	for mode, chain := range map[string]string{Targeted: chainIn, DefaultDeny: chainInput} {
		opt.Mode = mode
		p := Make(asked(zones.External, 22), s, cfg, opt)
		if got := letsIn(p, chain, "fe80::9"); !slices.Equal(got, []string{"ext0"}) {
			t.Errorf("%s: %q\n%s%+v", mode, got, p.Ruleset, p.Manual)
		}
	}
	for _, list := range [][]string{{"fe80::9%ext0"}, {"x"}} {
		if o, err := ParseOptions(list, nil); err == nil {
			t.Errorf("%q is read as %v", list, o)
		}
	}
	opt.Keep[0].Iif, opt.Mode = "", Targeted
	if p := Make(asked(zones.External, 22), s, cfg, opt); !slices.Equal(letsIn(p, chainIn, "fe80::9"), []string{"ext0", "mgmt0"}) || !strings.Contains(strings.Join(p.Warnings, " "), "on every link") {
		t.Errorf("%s%q", p.Ruleset, p.Warnings)
	}
	opt.Keep[0].Iif, opt.Mode = "none0", DefaultDeny // nobody comes in by that
	p := Make(asked(zones.External, 22), s, cfg, opt)
	if len(p.Rules) > 0 || !strings.Contains(strings.Join(p.Warnings, " "), "no interface none0") {
		t.Errorf("%s%q", p.Ruleset, p.Warnings)
	}
}

// TestLoginByATranslationIsNotTried: what a login to the host's own loopback address was translated from is not seen, and from where the client is nobody sends
// there but to itself.
func TestLoginByATranslationIsNotTried(t *testing.T) {
	s := sshOn(22)
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: "203.0.113.77:50000", Local: "127.0.0.1:22", LoggedIn: snapshot.Yes}}
	s.Listeners.Sockets[0].Addr = "127.0.0.1"
	p := Make(asked(zones.External, 2375), s, extern, Options{})
	if len(p.Keeps) == 0 {
		t.Fatal("no login is seen")
	}
	ps := newProbes(t.Context(), p, s)
	if len(ps.probes) == 0 || slices.ContainsFunc(ps.probes, func(k probe) bool { return k.Dst.Addr().IsLoopback() }) {
		t.Errorf("%+v", ps.probes)
	}
}
