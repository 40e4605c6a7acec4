package winhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/registry"
)

// Shell is what commands of PowerShell told, as objects of ConvertTo-Json, by kind. Names of properties are in lower case.
type Shell struct {
	objects map[shellKind][]object
}

type object map[string]any

// shellKind is what an object is about.
type shellKind string

// The kinds, each with the command that makes them.
const (
	shellTCP        shellKind = "tcp" // Get-NetTCPConnection
	shellUDP        shellKind = "udp" // Get-NetUDPEndpoint
	shellNetstatTCP shellKind = "netstat tcp"
	shellNetstatUDP shellKind = "netstat udp"
	shellAddress    shellKind = "address"   // Get-NetIPAddress
	shellNetwork    shellKind = "network"   // Get-NetConnectionProfile
	shellAdapter    shellKind = "adapter"   // Get-NetAdapter
	shellRoute      shellKind = "route"     // Get-NetRoute
	shellDNS        shellKind = "dns"       // Get-DnsClientServerAddress
	shellService    shellKind = "service"   // Get-CimInstance Win32_Service, Get-Service
	shellProcess    shellKind = "process"   // Get-CimInstance Win32_Process, Get-Process
	shellRule       shellKind = "rule"      // Get-NetFirewallRule
	shellProfile    shellKind = "profile"   // Get-NetFirewallProfile
	shellPort       shellKind = "port"      // Get-NetFirewallPortFilter
	shellFrom       shellKind = "from"      // Get-NetFirewallAddressFilter
	shellProgram    shellKind = "program"   // Get-NetFirewallApplicationFilter
	shellOfService  shellKind = "ofservice" // Get-NetFirewallServiceFilter
	shellOn         shellKind = "on"        // Get-NetFirewallInterfaceFilter
	shellOnType     shellKind = "ontype"    // Get-NetFirewallInterfaceTypeFilter
	shellSecurity   shellKind = "security"  // Get-NetFirewallSecurityFilter
	shellIPsec      shellKind = "ipsec"     // Get-NetIPsecRule
	shellHNS        shellKind = "hns"       // Get-HnsNetwork
	shellNAT        shellKind = "nat"       // Get-NetNat
	shellNATMap     shellKind = "natmap"    // Get-NetNatStaticMapping
	shellHyperV     shellKind = "hyperv"    // Get-NetFirewallHyperVVMSetting
	shellPipe       shellKind = "pipe"      // Get-ChildItem \\.\pipe\
)

// shellShapes tell objects apart by properties that all of a kind have. The first that fits counts.
var shellShapes = []struct {
	kind shellKind
	has  []string
}{
	{shellTCP, []string{"localport", "owningprocess", "remoteport"}},
	{shellTCP, []string{"localport", "owningprocess", "state"}},
	{shellUDP, []string{"localport", "localaddress", "owningprocess"}},
	{shellNATMap, []string{"externalport", "internalipaddress"}},
	{shellNATMap, []string{"externalport", "internaladdress"}},
	{shellNAT, []string{"internalipinterfaceaddressprefix"}},
	{shellPort, []string{"instanceid", "localport", "protocol"}},
	{shellFrom, []string{"instanceid", "remoteaddress", "localaddress"}},
	{shellProgram, []string{"instanceid", "program"}},
	{shellOfService, []string{"instanceid", "service"}},
	{shellSecurity, []string{"instanceid", "authentication", "encryption"}},
	{shellOnType, []string{"instanceid", "interfacetype"}},
	{shellIPsec, []string{"instanceid", "inboundsecurity", "enabled"}},
	{shellHyperV, []string{"loopbackenabled", "allowhostpolicymerge"}},
	{shellRule, []string{"direction", "action", "enabled", "profile"}},
	{shellProfile, []string{"defaultinboundaction", "enabled"}},
	{shellOn, []string{"instanceid", "interfacealias", "creationclassname"}},
	{shellNetwork, []string{"networkcategory"}},
	{shellAddress, []string{"ipaddress", "prefixlength"}},
	{shellRoute, []string{"destinationprefix", "nexthop"}},
	{shellDNS, []string{"serveraddresses"}},
	{shellAdapter, []string{"interfacedescription", "name"}},
	{shellHNS, []string{"id", "name", "type", "subnets"}},
	{shellService, []string{"name", "pathname", "startname"}},
	{shellService, []string{"name", "status", "starttype"}},
	{shellProcess, []string{"processid", "executablepath"}},
	{shellProcess, []string{"id", "processname"}},
	{shellPipe, []string{"fullname", "name"}},
}

// Bounds of the JSON of PowerShell.
const (
	maxShellText    = 64 << 20
	maxShellObjects = 200_000
)

var errNoObjects = errors.New("no objects of a command that is known")

// Add reads a file that ConvertTo-Json wrote. The name of the file tells TCP and UDP apart where the objects do not.
func (s *Shell) Add(name string, b []byte) error {
	if len(b) > maxShellText {
		return registry.ErrTooMuch
	}
	text, err := registry.Decode(b)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	known := 0
	for {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("no JSON: %w", err)
		}
		n, err := s.take(name, v, 0)
		if err != nil {
			return err
		}
		known += n
	}
	if known == 0 {
		return errNoObjects
	}
	return nil
}

// keep has a list for the objects of a kind.
func (s *Shell) keep(kind shellKind, list []object) error {
	if len(list) > maxShellObjects {
		return registry.ErrTooMuch
	}
	s.objects[kind] = list
	return nil
}

// take keeps what is known in a value, and tells how much that is. An empty list is known by the name of its file alone.
func (s *Shell) take(name string, v any, depth int) (n int, err error) {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return s.empty(name), nil
		}
		for _, e := range v {
			m, err := s.take(name, e, depth+1)
			if err != nil {
				return n, err
			}
			n += m
		}
		return n, nil
	case map[string]any:
		o := make(object, len(v))
		for k, e := range v {
			o[strings.ToLower(k)] = e
		}
		if list, ok := o["value"].([]any); ok && len(o) <= 2 && depth == 0 { // an array of Windows PowerShell 5.1
			return s.take(name, list, 1)
		}
		kind := s.kindOf(name, o)
		if kind == "" {
			return 0, nil
		}
		if s.objects == nil {
			s.objects = map[shellKind][]object{}
		}
		if len(s.objects[kind]) >= maxShellObjects {
			return 0, registry.ErrTooMuch
		}
		s.objects[kind] = append(s.objects[kind], o)
		return 1, nil
	}
	return 0, nil
}

// empty keeps that a command told nothing.
func (s *Shell) empty(name string) int {
	lower := strings.ToLower(name)
	for _, k := range []struct {
		part string
		kind shellKind
	}{
		{"udp", shellUDP}, {"tcp", shellTCP}, {"ipsec", shellIPsec}, {"natstaticmapping", shellNATMap}, {"netnat", shellNAT}, {"hns", shellHNS}, {"hyperv", shellHyperV}, {"pipe", shellPipe},
	} {
		if strings.Contains(lower, k.part) {
			if s.objects == nil {
				s.objects = map[shellKind][]object{}
			}
			if s.objects[k.kind] == nil {
				s.objects[k.kind] = []object{}
			}
			return 1
		}
	}
	return 0
}

func (s *Shell) kindOf(name string, o object) shellKind {
shapes:
	for _, sh := range shellShapes {
		for _, p := range sh.has {
			if _, ok := o[p]; !ok {
				continue shapes
			}
		}
		if sh.kind == shellUDP && strings.Contains(strings.ToLower(name), "tcp") {
			return shellTCP
		}
		return sh.kind
	}
	return ""
}

// of are the objects of a kind; asked says whether the command was run at all.
func (s *Shell) of(kind shellKind) (list []object, asked bool) {
	list, asked = s.objects[kind]
	return list, asked
}

func (o object) text(names ...string) string {
	for _, n := range names {
		switch v := o[n].(type) {
		case string:
			return v
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// number is a number, or a text of digits; -1 where there is none.
func (o object) number(names ...string) int {
	for _, n := range names {
		if i, err := strconv.ParseInt(o.text(n), 10, 64); err == nil {
			return int(i)
		}
	}
	return -1
}

// is says whether a property, which is an enumeration, has a value by its number or by its name.
func (o object) is(name string, number int, words ...string) bool {
	if o.number(name) == number {
		return true
	}
	t := o.text(name)
	for _, w := range words {
		if strings.EqualFold(t, w) {
			return true
		}
	}
	return false
}

// list is a list of texts, or one text.
func (o object) list(name string) []string {
	value := o[name]
	if m, ok := value.(map[string]any); ok && m["value"] != nil { // an array of Windows PowerShell 5.1
		value = m["value"]
	}
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if t, ok := e.(string); ok {
				out = append(out, t)
			} else if n, ok := e.(json.Number); ok {
				out = append(out, n.String())
			}
		}
		return out
	case json.Number:
		return []string{v.String()}
	}
	return nil
}

// yes is true, or an enumeration of the value 1 (GpoBoolean).
func (o object) yes(name string) bool {
	b, ok := o[name].(bool)
	return ok && b || o.is(name, 1, "true")
}
