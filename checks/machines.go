//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the machines that are kept.
const (
	maxMachines = 512
	maxNICs     = 64
)

// machineFiles are where hypervisors describe their machines: libvirt those that run (with the interfaces that they have), then those that are
// defined (formatdomain of libvirt); Proxmox those of this node (qm.conf(5)).
var machineFiles = []struct {
	pattern string
	running bool
	parse   func([]byte) (snapshot.Machine, error)
}{
	{"/run/libvirt/qemu/*.xml", true, parseDomain},
	{"/etc/libvirt/qemu/*.xml", false, parseDomain},
	{"/etc/pve/qemu-server/*.conf", false, parseProxmox},
}

// machines finds the virtual machines of the host.
func (s *Scan) machines(sec *snapshot.Runtimes) {
	read := present("hypervisors' files")
	gap := func(err error) {
		if read.State == snapshot.Present {
			read = toFact("", err)
		}
	}
	seen := map[string]bool{}
	for _, place := range machineFiles {
		files, more := s.Host.Glob(place.pattern)
		if more {
			gap(fmt.Errorf("list %s: not every name was read", place.pattern))
		}
		for _, f := range files {
			b, err := s.Host.ReadFile(f)
			if err != nil {
				if !gone(err) {
					gap(err)
				}
				continue
			}
			m, err := place.parse(b)
			number := strings.TrimSuffix(path.Base(f), path.Ext(f)) // Proxmox knows machines by number, and several can have one name
			if m.Name = cmp.Or(m.Name, number); m.Runtime == "proxmox" && seen[m.Runtime+" "+m.Name] {
				m.Name += " (" + number + ")"
			}
			switch {
			case err != nil:
				gap(fmt.Errorf("read %s: %w", f, err))
				continue
			case seen[m.Runtime+" "+m.Name]:
				continue // it runs, and was described with what it has now
			case len(sec.Machines) >= maxMachines:
				gap(fmt.Errorf("there are more machines than are kept"))
				continue
			}
			seen[m.Runtime+" "+m.Name] = true
			m.Running, m.Word = place.running, s.placeWord(f)
			sec.Machines = append(sec.Machines, m)
		}
	}
	s.leases(sec.Machines, gap)
	sec.MachinesRead = &read
}

// leases adds the addresses that the DHCP server of libvirt has given (leaseshelper: /var/lib/libvirt/dnsmasq/BRIDGE.status).
func (s *Scan) leases(list []snapshot.Machine, gap func(error)) {
	files, more := s.Host.Glob("/var/lib/libvirt/dnsmasq/*.status")
	if more {
		gap(errors.New("there are more leases of libvirt than were looked at"))
	}
	for _, f := range files {
		b, err := s.Host.ReadFile(f)
		if err != nil || len(bytes.TrimSpace(b)) == 0 {
			if err != nil && !gone(err) {
				gap(err)
			}
			continue
		}
		byMAC, err := parseLeases(b)
		if err != nil {
			gap(fmt.Errorf("read %s: %w", f, err))
			continue
		}
		for i := range list {
			for j := range list[i].NICs {
				n := &list[i].NICs[j]
				for _, a := range byMAC[n.MAC] {
					if !slices.Contains(n.Addrs, a) {
						n.Addrs = append(n.Addrs, a)
					}
				}
			}
		}
	}
}

// parseLeases reads the leases of one network, by MAC.
func parseLeases(b []byte) (map[string][]string, error) {
	var list []struct {
		IP  string `json:"ip-address"`
		MAC string `json:"mac-address"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, l := range list {
		a, err := netip.ParseAddr(l.IP)
		mac := macOf(l.MAC)
		if err == nil && mac != "" && len(out[mac]) < maxNICs {
			out[mac] = append(out[mac], a.WithZone("").String())
		}
	}
	return out, nil
}

// macOf is a hardware address as it is compared; empty where the text is none.
func macOf(s string) string {
	m, err := net.ParseMAC(strings.TrimSpace(s))
	if err != nil {
		return ""
	}
	return m.String()
}

// parseDomain reads the description of a machine of libvirt, also within its status.
func parseDomain(b []byte) (snapshot.Machine, error) {
	var d struct {
		Name string `xml:"name"`
		OS   struct {
			ID string `xml:"id,attr"`
		} `xml:"metadata>libosinfo>os"`
		NICs []struct {
			MAC struct {
				Address string `xml:"address,attr"`
			} `xml:"mac"`
			Source struct {
				Bridge string `xml:"bridge,attr"`
			} `xml:"source"`
			Target struct {
				Dev string `xml:"dev,attr"`
			} `xml:"target"`
		} `xml:"devices>interface"`
	}
	m := snapshot.Machine{Runtime: "libvirt"}
	dec := xml.NewDecoder(bytes.NewReader(b))
	for {
		t, err := dec.Token()
		if err != nil {
			return m, fmt.Errorf("find the domain: %w", err)
		}
		if e, ok := t.(xml.StartElement); ok && e.Name.Local == "domain" {
			if err := dec.DecodeElement(&d, &e); err != nil {
				return m, err
			}
			break
		}
	}
	if m.Name = strings.TrimSpace(d.Name); m.Name == "" {
		return m, fmt.Errorf("the domain has no name")
	}
	switch {
	case strings.Contains(d.OS.ID, "microsoft.com/"):
		m.OS = "windows"
	case d.OS.ID != "":
		m.OS = path.Base(path.Dir(d.OS.ID)) // http://debian.org/debian/12
	}
	for _, n := range d.NICs {
		if mac := macOf(n.MAC.Address); mac != "" && len(m.NICs) < maxNICs {
			m.NICs = append(m.NICs, snapshot.MachineNIC{MAC: mac, Bridge: n.Source.Bridge, Tap: n.Target.Dev})
		}
	}
	return m, nil
}

// parseProxmox reads the configuration of a machine of Proxmox, up to its snapshots.
func parseProxmox(b []byte) (snapshot.Machine, error) {
	m := snapshot.Machine{Runtime: "proxmox"}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			break
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case key == "name":
			m.Name = value
		case key == "ostype" && strings.HasPrefix(value, "w"):
			m.OS = "windows"
		case key == "ostype" && strings.HasPrefix(value, "l2"):
			m.OS = "linux"
		case strings.HasPrefix(key, "net") && len(m.NICs) < maxNICs:
			if n := proxmoxNIC(value); n.MAC != "" {
				m.NICs = append(m.NICs, n)
			}
		}
	}
	return m, nil
}

// proxmoxNIC reads virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1.
func proxmoxNIC(s string) (n snapshot.MachineNIC) {
	for part := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(part, "=")
		if mac := macOf(value); mac != "" {
			n.MAC = mac
		}
		if key == "bridge" {
			n.Bridge = value
		}
	}
	return n
}
