package sshd

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// Conn is a connection as Match criteria see it.
type Conn struct {
	User         *User
	Host, Addr   string
	LAddr, LPort string
	maybe        int // in which block criteria hold that are not known beforehand, counted from 1; or one of these
}

// Criteria that are not known beforehand hold in no block, or in all of them.
const (
	inNone = 0
	inAll  = -1
)

// Spec is the connection in the form of sshd's -C.
func (c *Conn) Spec() string {
	return "user=" + c.User.Name + ",host=" + c.Host + ",addr=" + c.Addr + ",laddr=" + c.LAddr + ",lport=" + c.LPort
}

// User is somebody who logs in: an account, or one of a name or a group that no account has.
type User struct {
	Name   string
	UID    int
	Groups []string
	Real   bool // it is an account
	// Password is Yes, No, PasswordEmpty where none is needed, or "" where that cannot be told.
	Password snapshot.Login
}

// pass goes through a configuration as sshd does: once for everybody, and once for each connection, when the first Match block that
// applies and sets a keyword overrides what is set for everybody (servconf.c, parse_server_match_config).
type pass struct {
	conn *Conn               // nil: for everybody
	set  map[string][]string // nil: which blocks apply is asked alone
	hit  []int               // blocks that apply
}

// run goes through the nodes of a file. In one that is included outside of every block only blocks count for a connection; in one that a
// block includes which does not apply nothing ever does.
func (p *pass) run(nodes []node, active, only, never bool) {
	for i := range nodes {
		n := &nodes[i]
		switch n.key {
		case "match":
			active, only = !never && p.conn.meets(n.args, n.block), false
			if active {
				p.hit = append(p.hit, n.block)
			}
		case "include":
			for _, f := range n.files {
				p.run(f, active, only, !only && !active)
			}
		default:
			if _, set := p.set[n.key]; active && p.set != nil && (!set || listKeyword(n.key)) {
				p.set[n.key] = append(p.set[n.key], valuesOf(n)...)
			}
		}
	}
}

// valuesOf is the value of a directive: each argument of a list is one, else they are one together. Words that sshd compares without
// regard to case are in lower case.
func valuesOf(n *node) []string {
	if listKeyword(n.key) {
		return n.args
	}
	v := strings.Join(n.args, " ")
	if low := strings.ToLower(v); !strings.ContainsAny(v, "/%") {
		v = low
	}
	return []string{v}
}

// Global is the settings of a connection to which no block applies: what the command line gives, then the file, then what sshd has by
// itself.
func (f *File) Global(options, defaults map[string][]string) map[string][]string {
	p := &pass{set: maps.Clone(options)}
	if p.set == nil {
		p.set = map[string][]string{}
	}
	p.run(f.nodes, true, false, false)
	m := maps.Clone(defaults)
	maps.Copy(m, p.set)
	return m
}

// Over is the settings of a connection, given those of everybody.
func (f *File) Over(c *Conn, global map[string][]string) map[string][]string {
	p := &pass{conn: c, set: map[string][]string{}}
	p.run(f.nodes, false, true, false)
	m := maps.Clone(global)
	maps.Copy(m, p.set)
	return m
}

// Matched are the keywords that Match blocks set for a connection: no line outside of them changes those.
func (f *File) Matched(c *Conn) []string {
	p := &pass{conn: c, set: map[string][]string{}}
	p.run(f.nodes, false, true, false)
	return slices.Sorted(maps.Keys(p.set))
}

// applied is the blocks that apply to a connection.
func (f *File) applied(c *Conn) []int {
	p := &pass{conn: c}
	p.run(f.nodes, false, true, false)
	return p.hit
}

// meets says whether a connection has the criteria of a Match block (servconf.c, match_cfg_line). Before there is one only "all" holds.
func (c *Conn) meets(criteria []string, block int) bool {
	if len(criteria) == 1 && strings.EqualFold(criteria[0], "all") {
		return true
	}
	if c == nil || len(criteria) == 0 {
		return false
	}
	for i := 0; i < len(criteria); i++ {
		key, value, given := strings.Cut(criteria[i], "=")
		if key = strings.ToLower(key); key == "invalid-user" {
			if c.User.Real {
				return false
			}
			continue
		}
		if !given {
			if i++; i == len(criteria) {
				return false
			}
			value = criteria[i]
		}
		if !c.has(key, value, block) {
			return false
		}
	}
	return true
}

func (c *Conn) has(key, value string, block int) bool {
	switch key {
	case "user":
		return patternList(value, c.User.Name) == 1
	case "group":
		found := false
		for _, g := range c.User.Groups {
			switch patternList(value, g) {
			case -1:
				return false
			case 1:
				found = true
			}
		}
		return found
	case "host":
		return patternList(strings.ToLower(value), strings.ToLower(c.Host)) == 1
	case "address":
		return addressList(value, c.Addr) == 1
	case "localaddress":
		return addressList(value, c.LAddr) == 1
	case "localport":
		return value == c.LPort
	}
	return c.maybe == inAll || c.maybe == block+1 // rdomain, version, and what newer versions have
}

// patternList is 1 where a list of patterns has a text, -1 where a negated one has it, and else 0 (match.c, match_pattern_list).
func patternList(list, text string) int {
	found := 0
	for p := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(p, "!")
		if !wildcard(pattern, text) {
			continue
		}
		if negated {
			return -1
		}
		found = 1
	}
	return found
}

// wildcard matches a text against a pattern in which * is any text and ? any character.
func wildcard(pattern, text string) bool {
	star, at := -1, 0
	i, j := 0, 0
	for j < len(text) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, at = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == text[j]):
			i++
			j++
		case star >= 0:
			at++
			i, j = star+1, at
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// addressList is patternList of addresses: entries are networks, addresses or patterns (addrmatch.c, addr_match_list).
func addressList(list, addr string) int {
	found := 0
	a, _ := netip.ParseAddr(addr)
	for p := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(p, "!")
		hit := wildcard(pattern, addr)
		if net, ok := network(pattern); ok {
			hit = net.Contains(a)
		}
		if hit && negated {
			return -1
		}
		if hit {
			found = 1
		}
	}
	return found
}

func network(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// criteriaOf lists the values that Match blocks ask a criterion for.
func (f *File) criteriaOf(want string) []string {
	var list []string
	var each func([]node)
	each = func(nodes []node) {
		for i := range nodes {
			for _, inner := range nodes[i].files {
				each(inner)
			}
			if nodes[i].key != "match" {
				continue
			}
			args := nodes[i].args
			for j, a := range args {
				if key, v, given := strings.Cut(a, "="); given && strings.EqualFold(key, want) {
					list = append(list, v)
				} else if strings.EqualFold(a, want) && j+1 < len(args) {
					list = append(list, args[j+1])
				}
			}
		}
	}
	each(f.nodes)
	return list
}

// unsure are the Match blocks that ask for what is not known beforehand.
func (f *File) unsure() (blocks []int) {
	known := []string{"all", "user", "group", "host", "address", "localaddress", "localport", "invalid-user"}
	for n, b := range f.Blocks {
		args := strings.Fields(strings.ToLower(b))
		for i := 0; i < len(args); i++ {
			key, _, given := strings.Cut(args[i], "=")
			if !slices.Contains(known, key) {
				blocks = append(blocks, n)
				break
			}
			if !given && key != "all" && key != "invalid-user" {
				i++
			}
		}
	}
	return blocks
}

// examples are texts that patterns of a list have, negated ones too, after the first of others that none of them has.
func examples(lists []string, free ...string) []string {
	named := []string{}
	for _, l := range lists {
		for p := range strings.SplitSeq(l, ",") {
			if p = strings.TrimPrefix(p, "!"); p != "" && p != "*" {
				named = append(named, strings.NewReplacer("*", "x", "?", "x").Replace(p))
			}
		}
	}
	slices.Sort(named)
	list := slices.Compact(named)
	for _, text := range free {
		if !slices.ContainsFunc(lists, func(l string) bool { return patternList(strings.ReplaceAll(l, "!", ""), text) == 1 && l != "*" }) {
			return append([]string{text}, list...)
		}
	}
	return list
}

// Principals are accounts, somebody who has none, and one for each name and group that Match blocks name and no account has.
func (f *File) Principals(accounts []*User) []*User {
	const nobody = "ringfence-nobody"
	list := append(slices.Clone(accounts), &User{Name: nobody, UID: -1})
	for _, names := range f.criteriaOf("user") {
		for _, name := range examples([]string{names}) {
			if !slices.ContainsFunc(list, func(u *User) bool { return patternList(name, u.Name) == 1 }) {
				list = append(list, &User{Name: name, UID: -1})
			}
		}
	}
	for _, names := range f.criteriaOf("group") {
		for _, name := range examples([]string{names}) {
			if !slices.ContainsFunc(list, func(u *User) bool { return slices.Contains(u.Groups, name) }) {
				list = append(list, &User{Name: nobody, UID: -1, Groups: []string{name}})
			}
		}
	}
	return list
}

// maxEntries bounds the entries of lists by which addresses are told apart.
const maxEntries = 256

// addresses are addresses that entries of lists tell apart. What networks cut the addresses into begins where one of them begins, or behind the
// end of one.
func addresses(lists []string, free ...string) []string {
	var named, entries []string
	for _, l := range lists {
		for p := range strings.SplitSeq(l, ",") {
			if p = strings.TrimPrefix(p, "!"); p == "" || p == "*" {
				continue
			}
			entries = append(entries, p)
			net, ok := network(p)
			if !ok {
				named = append(named, written(p))
				continue
			}
			named = append(named, net.Addr().String())
			if behind := endOf(net).Next(); behind.IsValid() {
				named = append(named, behind.String())
			}
		}
	}
	slices.Sort(named)
	list, all := []string{}, append(free, slices.Compact(named)...)
	if len(entries) > maxEntries {
		return all
	}
	seen := map[string]bool{}
	for _, a := range all {
		if _, err := netip.ParseAddr(a); err != nil { // the pattern of a name
			continue
		}
		like := make([]byte, len(entries))
		for i, e := range entries {
			like[i] = byte('0' + addressList(e, a))
		}
		if !seen[string(like)] {
			seen[string(like)] = true
			list = append(list, a)
		}
	}
	return list
}

// written is an address that a pattern has, if one has it: an asterisk may be for several numbers.
func written(pattern string) string {
	text := strings.ReplaceAll(pattern, "?", "1")
	for _, all := range []string{"1", "1.1", "1.1.1", "1::1"} {
		if a := strings.ReplaceAll(text, "*", all); strings.Contains(text, "*") {
			if _, err := netip.ParseAddr(a); err == nil {
				return a
			}
		}
	}
	return strings.ReplaceAll(text, "*", "1")
}

// endOf is the highest address of a network.
func endOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Bounds of the connections that are thought through for one configuration: of root's, and of somebody else's.
const (
	MaxQuestions       = 4096
	MaxQuestionsOfUser = 1024
)

// Group is connections to which the same blocks apply.
type Group struct {
	Blocks []int
	Conn   *Conn // one of them, of an account if there is one
	Users  []*User
}

// strangers are addresses from which somebody connects if the configuration names others.
var strangers = []string{"192.0.2.1", "198.51.100.7", "203.0.113.9", "10.254.253.252", "2001:db8::1"}

// Ends is what is known of the ends of connections beforehand.
type Ends struct {
	Ports []string // that the server listens on, nil if that is not known
	Names bool     // it asks for the names of who connects (UseDNS); else the address is the name
}

// EndsOf reads what settings of everybody say of the ends of connections. The ports of a server are known if it opens its sockets itself.
func EndsOf(global map[string][]string, itself bool) Ends {
	e := Ends{Names: slices.Equal(global["usedns"], []string{"yes"})}
	if !itself {
		return e
	}
	if e.Ports = slices.Clone(global["port"]); len(e.Ports) == 0 {
		e.Ports = []string{"22"}
	}
	for _, l := range global["listenaddress"] {
		at, _, _ := strings.Cut(l, " ")
		if i := strings.LastIndexByte(at, ':'); i >= 0 && (strings.HasSuffix(at[:i], "]") || !strings.Contains(at[:i], ":")) {
			e.Ports = append(e.Ports, at[i+1:])
		}
	}
	slices.Sort(e.Ports)
	e.Ports = slices.Compact(e.Ports)
	return e
}

// Groups are the connections that the Match blocks tell apart: of each account and of somebody else, from each network that is named and
// from none of them, and so on. whole is false where there are more of them than most.
func (f *File) Groups(users []*User, ends Ends, most int) (list []*Group, whole bool) {
	byKey := map[string]*Group{}
	maybes := []int{inNone}
	for i, block := range f.unsure() {
		if i == 0 {
			maybes = append(maybes, inAll)
		}
		maybes = append(maybes, block+1)
	}
	addrs, hosts := addresses(f.criteriaOf("address"), strangers...), examples(f.criteriaOf("host"), "unknown.invalid", "nobody.example", "x")
	if !ends.Names {
		addrs, hosts = addresses(append(f.criteriaOf("address"), f.criteriaOf("host")...), strangers...), []string{""}
	}
	ports := ends.Ports
	if ports == nil {
		ports = examples(f.criteriaOf("localport"), "22", "2222", "22222")
	}
	asked := 0
	for _, addr := range addrs {
		for _, laddr := range addresses(f.criteriaOf("localaddress"), "192.0.2.2", "198.51.100.8", "203.0.113.10", "2001:db8::2") {
			for _, lport := range ports {
				for _, host := range hosts {
					for _, maybe := range maybes {
						for _, u := range users {
							if asked++; asked > most {
								return list, false
							}
							c := &Conn{u, cmp.Or(host, addr), addr, laddr, lport, maybe}
							list = f.sort(c, byKey, list)
						}
					}
				}
			}
		}
	}
	return list, true
}

// sort puts a connection to those like it.
func (f *File) sort(c *Conn, byKey map[string]*Group, list []*Group) []*Group {
	blocks := f.applied(c)
	key := f.Label(blocks)
	g := byKey[key]
	if g == nil {
		g = &Group{Blocks: blocks, Conn: c}
		byKey[key] = g
		list = append(list, g)
	}
	if !g.Conn.User.Real && c.User.Real {
		g.Conn = c
	}
	if !slices.Contains(g.Users, c.User) {
		g.Users = append(g.Users, c.User)
	}
	return list
}

// Label names the connections to which blocks apply by their criteria.
func (f *File) Label(blocks []int) string {
	var texts []string
	for _, b := range blocks {
		if !slices.Contains(texts, f.Blocks[b]) {
			texts = append(texts, f.Blocks[b])
		}
	}
	return strings.Join(texts, " + ")
}
