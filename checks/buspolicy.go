//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of the policies of the system bus.
const (
	maxBusRules = 20_000
	maxBusNames = 2_000
)

// busRule is what a policy of the bus says of what somebody sends (dbus-daemon(1), CONFIGURATION FILE).
type busRule struct {
	class                  int // in the order in which the bus applies them
	who                    snapshot.Permit
	console                bool
	allow, narrow          bool
	name, prefix, iface    string // of whom it is sent to; all of them where these are empty
	owns                   string
	ownsBelow, ownedByRoot bool
}

// The classes of policies, the last that says something counts.
const (
	busDefault = iota
	busGroup
	busUser
	busConsole
	busMandatory
)

// busPolicy is who may ask the services of the system bus.
func (s *Scan) busPolicy() ([]snapshot.BusName, snapshot.Fact) {
	var rules []busRule
	found := false
	for _, pattern := range []string{
		"/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.conf", "/usr/share/dbus-1/system.d/*.conf", "/etc/dbus-1/system.d/*.conf", "/etc/dbus-1/system-local.conf",
	} {
		files, more := s.Host.Glob(pattern)
		if more {
			return nil, toFact("", errors.New("there are more policies of the bus than are read"))
		}
		for _, file := range files {
			b, err := s.Host.ReadFile(file)
			if gone(err) {
				continue
			}
			if err == nil {
				rules, err = s.busRules(rules, b)
			}
			if err != nil {
				return nil, toFact("", fmt.Errorf("%s: %w", file, err))
			}
			found = true
		}
	}
	if !found {
		return nil, snapshot.Fact{State: snapshot.Absent}
	}
	names, err := s.busNames(rules)
	if err != nil {
		return nil, toFact("", err)
	}
	return names, snapshot.Fact{State: snapshot.Present}
}

// busRules adds the rules of one file.
func (s *Scan) busRules(rules []busRule, b []byte) ([]busRule, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	var policy *busRule
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return rules, nil
		}
		if err != nil || len(rules) > maxBusRules {
			return nil, cmp.Or(errMalformed, err)
		}
		switch e := t.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "policy":
				policy = s.busPolicyOf(e.Attr)
			case "allow", "deny":
				if policy != nil {
					rules = append(rules, busRuleOf(*policy, e.Name.Local == "allow", e.Attr)...)
				}
			}
		case xml.EndElement:
			if e.Name.Local == "policy" {
				policy = nil
			}
		}
	}
}

// busPolicyOf is whom a policy is for, nil if there is no such account.
func (s *Scan) busPolicyOf(attrs []xml.Attr) *busRule {
	r := &busRule{who: snapshot.Permit{Who: snapshot.PermitAll}}
	for _, a := range attrs {
		switch a.Name.Local {
		case "context":
			if a.Value == "mandatory" {
				r.class = busMandatory
			}
		case "user":
			if a.Value == "*" {
				continue
			}
			r.class, r.who.Who, r.who.ID = busUser, snapshot.PermitUser, s.uidOf(a.Value)
			r.ownedByRoot = r.who.ID == 0
		case "group":
			if a.Value == "*" {
				continue
			}
			r.class, r.who.Who, r.who.ID = busGroup, snapshot.PermitGroup, s.gidOf(a.Value)
		case "at_console":
			r.class, r.console = busConsole, a.Value == "true"
		}
	}
	if r.who.ID < 0 {
		return nil
	}
	return r
}

// gidOf is the id of a group by its name or number, or -1.
func (s *Scan) gidOf(name string) int {
	for _, g := range s.groups() {
		if g.name == name {
			return g.gid
		}
	}
	if n := atoi(name); n > 0 || name == "0" {
		return n
	}
	return -1
}

// busRuleOf is what one rule says of calls, or of whom a name belongs to; nothing if it is about something else.
func busRuleOf(r busRule, allow bool, attrs []xml.Attr) []busRule {
	r.allow = allow
	about := false
	member := ""
	for _, a := range attrs {
		switch a.Name.Local {
		case "own", "own_prefix":
			r.owns, r.ownsBelow = a.Value, a.Name.Local == "own_prefix"
			return []busRule{r}
		case "send_destination":
			about = true
			if a.Value != "*" {
				r.name = a.Value
			}
		case "send_destination_prefix":
			about, r.prefix = true, a.Value
		case "send_interface":
			about, r.iface, r.narrow = true, a.Value, r.narrow || a.Value != "*"
		case "send_member":
			about, member, r.narrow = true, a.Value, r.narrow || a.Value != "*"
		case "send_path":
			about, r.narrow = true, r.narrow || a.Value != "*"
		case "send_error", "send_requested_reply", "eavesdrop", "log", "max_fds", "min_fds":
		case "send_type":
			if a.Value != "method_call" && a.Value != "*" {
				return nil
			}
			about = true
		case "send_broadcast":
			if a.Value == "true" {
				return nil
			}
		default: // what is received, and who connects
			return nil
		}
	}
	if !about || allow && asking(r.iface, member) {
		return nil
	}
	return []busRule{r}
}

// asking says of a call of the bus's own interfaces that it changes nothing.
func asking(iface, member string) bool {
	switch iface {
	case "org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer":
		return true
	case "org.freedesktop.DBus.Properties":
		return member == "Get" || member == "GetAll"
	}
	return false
}

// names says of a rule that it is about a name.
func (r *busRule) names(name string) bool {
	switch {
	case r.owns != "":
		return false
	case r.name != "":
		return r.name == name
	case r.prefix != "":
		return name == r.prefix || strings.HasPrefix(name, r.prefix+".")
	}
	return !r.narrow || strings.HasPrefix(r.iface, name)
}

// busNames are the names that root has by the policies, or that the bus starts as root, each with what the rules say of it in their order.
func (s *Scan) busNames(rules []busRule) (list []snapshot.BusName, err error) {
	names := map[string]bool{}
	for _, r := range rules {
		if r.owns != "" && r.owns != "*" && r.allow && r.ownedByRoot {
			names[r.owns] = true
		}
	}
	for _, dir := range busServiceDirs {
		files, err := s.Host.ReadDir(dir)
		if err == nil && len(files) > maxInDir {
			err = fmt.Errorf("%s has more files than are looked at", dir)
		}
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, n := range files {
			b, err := s.Host.ReadFile(path.Join(dir, n))
			if err != nil && !gone(err) {
				return nil, err
			}
			if keys := busService(b); keys["Name"] != "" && s.uidOf(keys["User"]) == 0 {
				names[keys["Name"]] = true
			}
		}
	}
	if len(names) > maxBusNames {
		return nil, errors.New("the bus has more names than are looked at")
	}
	slices.SortStableFunc(rules, func(a, b busRule) int { return cmp.Compare(a.class, b.class) })
	for _, name := range sortedKeys(names) {
		n := snapshot.BusName{Name: name}
		for _, r := range rules {
			if r.names(name) {
				n.Rules = append(n.Rules, snapshot.BusRule{Who: r.who.Who, ID: r.who.ID, Console: r.console, Allow: r.allow, Narrow: r.narrow})
			}
		}
		n.Rules = slices.Compact(n.Rules)
		list = append(list, n)
	}
	return list, nil
}
