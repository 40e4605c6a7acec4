//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// firewallUnits are the services that load a packet filter at boot.
var firewallUnits = []string{
	"nftables.service", "firewalld.service", "ufw.service", "netfilter-persistent.service", "iptables.service", "ip6tables.service",
	"shorewall.service", "ferm.service", "firehol.service", "awall.service", "ringfence-ruleset.service",
}

// bootFirewalls says which of them are installed and whether they are started at boot: whether a link in a directory of what a target wants
// leads to one (systemd.unit(5)). Where there is no systemd it is not known.
func (s *Scan) bootFirewalls() ([]snapshot.BootService, snapshot.Fact) {
	var units []string
	read := false
	for _, dir := range unitDirs {
		names, err := s.Host.ReadDir(dir)
		switch {
		case gone(err):
			continue
		case err != nil:
			return nil, toFact("", err)
		}
		read = true
		for _, n := range names {
			if slices.Contains(firewallUnits, n) && !slices.Contains(units, n) {
				units = append(units, n)
			}
		}
	}
	if !read {
		return nil, snapshot.Fact{State: snapshot.Absent}
	}
	slices.Sort(units)
	list := []snapshot.BootService{}
	for _, u := range units {
		enabled, err := s.enabled(u)
		if err != nil {
			return nil, toFact("", err)
		}
		list = append(list, snapshot.BootService{Name: u, Enabled: enabled})
	}
	return list, present("systemd")
}

// enabled says of a unit that it is started at boot and is not masked; ufw then loads nothing unless its own file says so (ufw(8), enable), and
// packages start it on hosts that do not use it.
func (s *Scan) enabled(unit string) (bool, error) {
	if unit == "ufw.service" {
		b, err := s.Host.ReadFile("/etc/ufw/ufw.conf")
		if err != nil && !gone(err) {
			return false, err
		}
		if !strings.EqualFold(envFile(string(b))["ENABLED"], "yes") {
			return false, nil
		}
	}
	wanted := false
	for _, dir := range socketDirs {
		names, err := s.Host.ReadDir(dir)
		if err != nil && !gone(err) {
			return false, err
		}
		for _, n := range names {
			if ext := path.Ext(n); ext != ".wants" && ext != ".requires" {
				continue
			}
			if _, err := s.Host.Lstat(path.Join(dir, n, unit)); err == nil {
				wanted = true
			}
		}
	}
	_, why := s.unitLines(unit)
	return wanted && why != unitMasked, nil
}
