//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// What a proxy gives that asks nobody: it sends from the host, where loopback is its own.
const proxyGives = "sends commands by it to what listens on loopback and in the networks of the host"

// squidAccess reads squid.conf: the first http_access that is about a request counts. What is let in by its name, from the host itself or by a
// program that is asked is not everybody.
func squidAccess(d *dataFiles) access {
	c := squidConfig{types: map[string]string{"all": "src", "localhost": "src"}, values: map[string][]string{"all": {"all"}, "localhost": {"127.0.0.1", "::1"}}}
	if err := c.read(d, cmp.Or(last(optionValues(d.argv, "-f")), "/etc/squid/squid.conf"), 0); err != nil {
		return access{err: err}
	}
	return c.access()
}

// access goes through the rules. Whom a rule denies for not being of a list is let in by no later one. Where no rule is about a request, it is let in
// if the last one denies.
func (c *squidConfig) access() access {
	a, most := access{login: dataAsks}, dataNone
	allow := func(lists []string, how string) {
		v := access{login: lessOpen(c.lets(lists), most), gives: proxyGives, how: how}
		if slices.Contains(lists, "manager") {
			v.gives = "reads what the proxy says of itself"
		}
		a = moreOpen(a, v)
	}
	for i, rule := range c.rules {
		lists, text := rule[1:], "http_access "+strings.Join(rule, " ")
		all := slices.Equal(lists, []string{"all"})
		if rule[0] == "allow" {
			allow(lists, text)
		} else if list, not := strings.CutPrefix(lists[0], "!"); not && len(lists) == 1 {
			most = lessOpen(most, c.lets([]string{list}))
		}
		switch {
		case all:
			return a
		case rule[0] != "allow" && i == len(c.rules)-1:
			allow(nil, "the last rule is "+text+", so that all others are let in")
		}
	}
	return a
}

// lets says whom the lists of a rule are about, all of which must hold.
func (c *squidConfig) lets(lists []string) string {
	login := dataNone
	for _, list := range lists {
		name, not := strings.CutPrefix(list, "!")
		kind, addrs := c.types[name], c.values[name]
		switch {
		case strings.Contains(kind, "auth"), slices.Contains([]string{"external", "user_cert", "ca_cert", "ident"}, kind), kind == "src" && !not && onlyLoopback(addrs):
			return dataAsks
		case kind == "src" && (not || !everywhere(addrs)):
			login = dataSome
		}
	}
	return login
}

// everywhere says of addresses that one of them is each.
func everywhere(addrs []string) bool {
	return slices.ContainsFunc(addrs, func(a string) bool {
		p, err := netip.ParsePrefix(a)
		return a == "all" || a == "0/0" || err == nil && p.Bits() == 0
	})
}

// squidConfig is what squid.conf says of who is let in: kinds and values of its lists, and rules in their order.
type squidConfig struct {
	types  map[string]string
	values map[string][]string
	rules  [][]string
}

func (c *squidConfig) read(d *dataFiles, file string, depth int) error {
	text, err := d.text(file)
	if err != nil {
		return err
	}
	for _, l := range keyLines(strings.ReplaceAll(text, "\\\n", " ")) {
		f := strings.Fields(l[1])
		switch {
		case l[0] == "include":
			for _, pattern := range f {
				files, more := d.s.globIn(d.p, pattern)
				if more || depth > 4 {
					return errManyFiles
				}
				for _, in := range files {
					if err := c.read(d, in, depth+1); err != nil {
						return err
					}
				}
			}
		case l[0] == "acl" && len(f) > 2:
			c.types[f[0]] = f[1]
			c.values[f[0]] = append(c.values[f[0]], f[2:]...)
			if strings.HasPrefix(f[2], `"`) {
				return errors.New("a list of addresses is in another file, which is not read")
			}
		case l[0] == "http_access" && len(f) > 1:
			if comment := slices.IndexFunc(f, func(w string) bool { return w[0] == '#' }); comment > 0 {
				f = f[:comment]
			}
			c.rules = append(c.rules, f)
		case l[0] == "if" || strings.Contains(l[1], "${"):
			return errors.New(file + " has settings that hang on others")
		}
	}
	return nil
}

// tinyproxyAccess reads tinyproxy.conf(5): without a line Allow or Deny everybody is let in.
func tinyproxyAccess(d *dataFiles) access {
	text, err := d.text(cmp.Or(last(optionValues(d.argv, "-c")), "/etc/tinyproxy/tinyproxy.conf"))
	if err != nil {
		return access{err: err}
	}
	a, ruled := access{login: dataAsks}, false
	open := func(login, how string) {
		a = moreOpen(a, access{login: login, gives: proxyGives, how: how})
	}
	for _, l := range keyLines(text) {
		value := strings.Trim(l[1], `"`)
		switch strings.ToLower(l[0]) {
		case "basicauth":
			return access{login: dataAsks}
		case "include":
			return access{err: errors.New("its file includes others, which are not read")}
		case "deny":
			ruled = true
			if everywhere([]string{value}) {
				return a
			}
		case "allow":
			ruled = true
			switch {
			case everywhere([]string{value}):
				open(dataNone, "Allow "+value)
			case !onlyLoopback([]string{value}):
				open(dataSome, "Allow "+value)
			}
		}
	}
	if !ruled {
		open(dataNone, "no line Allow")
	}
	return a
}

// unboundAccess reads the remote control of unbound.conf(5): it asks for a certificate unless it is told not to, and then listens on loopback.
func unboundAccess(d *dataFiles) access {
	files, on, cert, at, port := []string{cmp.Or(last(optionValues(d.argv, "-c")), "/etc/unbound/unbound.conf")}, false, true, []string(nil), 8953
	for i := 0; i < len(files); i++ {
		text, err := d.text(files[i])
		if err != nil {
			return access{err: err}
		}
		for _, l := range keyLines(text) {
			value := strings.Trim(strings.TrimSpace(strings.Split(l[1], " #")[0]), `"`)
			switch l[0] {
			case "include:", "include-toplevel:":
				list, more := d.s.globIn(d.p, value)
				if !path.IsAbs(value) || more {
					return access{err: errManyFiles}
				}
				files = append(files, list...)
			case "control-enable:":
				on = isYes(value)
			case "control-use-cert:":
				cert = isYes(value)
			case "control-interface:":
				at = append(at, value)
			case "control-port:":
				port, _ = strconv.Atoi(value)
			}
		}
	}
	a := access{login: dataAsks, ports: []int{port}}
	if on && !cert && slices.ContainsFunc(at, func(v string) bool { return !path.IsAbs(v) }) {
		a.login, a.gives, a.how = dataNone, "writes the names that it answers with, and its settings", "control-use-cert: no"
	}
	return a
}
