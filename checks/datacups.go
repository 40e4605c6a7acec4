//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// cupsBlock is whom a location or a limit of cupsd.conf(5) lets in.
type cupsBlock struct {
	strict           bool // Order allow,deny: whom nothing allows is denied
	allow, deny      []string
	hangs            bool // a network of IPv4 with a zero of bits: one machine where CUPS is compiled so
	asks, any, where bool // for a login; for a login or an address; it says Require without AuthType
}

// lets says who comes through without a login.
func (b *cupsBlock) lets() string {
	if b.asks && !b.any {
		return dataAsks
	}
	of := func(list []string) string {
		to := dataAsks
		for _, v := range list {
			to = openness[max(slices.Index(openness, to), slices.Index(openness, cupsSource(v)))]
		}
		return to
	}
	allowed, denied := of(b.allow), of(b.deny)
	switch {
	case !b.strict && denied == dataAsks:
		return dataNone
	case !b.strict && denied != dataNone:
		return dataSome
	case b.strict && denied == dataNone:
		return dataAsks
	case b.strict && denied != dataAsks && allowed == dataNone:
		return dataSome
	}
	return allowed
}

// cupsSource says whom a word of Allow or Deny is about: nobody is of a star, of what is in quotes, and of 0/0.
func cupsSource(v string) string {
	network, mask, masked := strings.Cut(strings.NewReplacer("[", "", "]", "").Replace(v), "/")
	a, err := netip.ParseAddr(network)
	bits := a.BitLen()
	if m, merr := netip.ParseAddr(mask); masked && merr == nil {
		bits = ones(m)
	} else if masked {
		bits = atoiOr(mask, bits)
	}
	switch {
	case v == "all", err == nil && bits == 0:
		return dataNone
	case v == "none", strings.Contains(v, `"`), err != nil && strings.Trim(v, "0.*/") == "":
		return dataAsks
	case v == "localhost", err == nil && a.IsLoopback() && (a.Is6() && bits == 128 || a.Is4() && bits >= 8):
		return dataLocal
	}
	return dataSome
}

// cups is what cupsd.conf(5) says that decides who is let in.
type cups struct {
	locations, limits map[string]*cupsBlock
	policy            bool // it has the policy that counts
	err               error
}

// read takes the file apart: locations, and limits of the policy that is called default.
func (c *cups) read(text string) {
	var at []*cupsBlock
	var outer, policy string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		value = strings.TrimSpace(value)
		switch key = strings.ToLower(key); key {
		case "<location", "<limit", "<limitexcept":
			names := strings.Fields(strings.TrimSuffix(value, ">"))
			if key != "<location" && outer == "<location" || key == "<limitexcept" {
				c.err = errors.New("its locations have limits by methods, which are not read")
			}
			b := &cupsBlock{}
			at = []*cupsBlock{b}
			for _, n := range names {
				switch {
				case key == "<location":
					c.locations[n] = b
				case policy == "default":
					c.limits[strings.ToLower(n)] = b
				}
			}
			outer = cmp.Or(outer, key)
		case "<policy":
			outer, policy = key, strings.ToLower(strings.TrimSpace(strings.TrimSuffix(value, ">")))
			c.policy = c.policy || policy == "default"
		case "</location>", "</policy>":
			outer, policy, at = "", "", nil
		case "</limit>", "</limitexcept>":
			at = nil
		case "defaultpolicy":
			if !strings.EqualFold(value, "default") {
				c.err = errors.New("another policy than default decides")
			}
		default:
			for _, b := range at {
				b.take(key, value)
			}
		}
	}
}

func (b *cupsBlock) take(key, value string) {
	value = strings.ToLower(value)
	from := strings.Fields(strings.TrimPrefix(value, "from "))
	b.hangs = b.hangs || (key == "allow" || key == "deny") && slices.ContainsFunc(from, func(v string) bool {
		p, err := netip.ParsePrefix(v)
		return err == nil && p.Bits() == 0 && p.Addr().Is4()
	})
	switch key {
	case "order":
		b.strict = strings.HasPrefix(strings.ReplaceAll(value, " ", ""), "allow")
	case "allow":
		b.allow = append(b.allow, from...)
	case "deny":
		b.deny = append(b.deny, from...)
	case "authtype":
		b.asks = value != "none"
	case "require":
		b.where = true
	case "satisfy":
		b.any = value == "any"
	}
}

// at is whom a place lets in: the nearest location above it decides. Without one that is who is on the host.
func (c *cups) at(place string) string {
	for ; ; place = path.Dir(place) {
		if b := c.locations[place]; b != nil {
			if b.where && !b.asks {
				c.err = errors.New("it requires users, and not how they show who they are")
			}
			c.whole(b)
			return b.lets()
		}
		if place == "/" {
			return dataLocal
		}
	}
}

// whole has what a block says be unknown if that hangs on how CUPS is compiled: 2.4.2 of Debian 12 on x86 takes 192.0.2.1/0 for one machine.
func (c *cups) whole(b *cupsBlock) {
	if b.hangs {
		c.err = errors.New("whom a network of IPv4 with 0 bits is about hangs on how CUPS is compiled")
	}
}

// may is who gets to an operation of IPP. It is taken at each place, so that the location that lets in the most decides. Without the policy those
// that change printers want a login.
func (c *cups) may(operation string, changes bool) (who, place string) {
	here, limit := c.at("/"), dataNone
	place = "/"
	for _, p := range slices.Sorted(maps.Keys(c.locations)) {
		if strings.HasPrefix(p, "/") && slices.Index(openness, c.at(p)) > slices.Index(openness, here) {
			here, place = c.at(p), p
		}
	}
	switch b := cmp.Or(c.limits[operation], c.limits["all"]); {
	case b != nil && b.where && !b.asks:
		c.err = errors.New("it requires users, and not how they show who they are")
	case b != nil:
		c.whole(b)
		limit = b.lets()
	case !c.policy && changes:
		limit = dataAsks
	}
	return lessOpen(here, limit), place
}

// cupsAccess reads cupsd.conf(5). Who may write /admin/conf writes what the daemon does, which runs as root; that is a matter of locations alone.
func cupsAccess(d *dataFiles) access {
	text, err := d.text(cmp.Or(last(optionValues(d.argv, "-c")), "/etc/cups/cupsd.conf"))
	if err != nil {
		return access{err: err}
	}
	c := cups{locations: map[string]*cupsBlock{}, limits: map[string]*cupsBlock{}}
	c.read(text)
	conf := c.at("/admin/conf")
	change, place := c.may("cups-add-modify-printer", true)
	prints, _ := c.may("print-job", false)
	if c.err != nil {
		return access{err: c.err}
	}
	a := access{login: dataAsks, ports: cupsPorts(text)}
	for _, v := range []access{
		{login: conf, gives: "writes the configuration of its daemon, which runs as root", how: "the location /admin/conf asks for no login"},
		{login: change, gives: "adds and changes printers", how: "CUPS-Add-Modify-Printer asks for no login at the location " + place},
		{login: prints, gives: "prints, and is told of printers and jobs", how: "the location " + place + " asks for no login"},
	} {
		if v.login == dataLocal && v.login != conf { // that one prints on the host itself is what it is for
			continue
		}
		if slices.Index(openness, v.login) > slices.Index(openness, a.login) {
			v.ports = a.ports
			a = v
		}
	}
	return a
}

// cupsPorts are the ports of Port and Listen; none if the file does not name them.
func cupsPorts(text string) (list []int) {
	for _, l := range keyLines(text) {
		switch strings.ToLower(l[0]) {
		case "port":
			list = append(list, atoiOr(l[1], 631))
		case "listen", "ssllisten", "sslport":
			if strings.HasPrefix(l[1], "/") {
				continue
			}
			list = append(list, atoiOr(l[1][strings.LastIndexByte(l[1], ':')+1:], 631))
		}
	}
	return list
}
