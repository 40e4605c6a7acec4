package ruleset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LegacyInfo is what the kernel tells of a table of x_tables before its entries (struct ipt_getinfo and ip6t_getinfo,
// include/uapi/linux/netfilter_ipv4/ip_tables.h).
type LegacyInfo struct {
	ValidHooks uint32    // bits of 1 << NF_INET_*
	HookEntry  [5]uint32 // where the chain of a hook begins, in bytes
	Underflow  [5]uint32 // where its policy is
	Entries    uint32
	Size       uint32 // of all entries, in bytes
}

// LegacyTable is a table of iptables-legacy as the kernel tells it, and takes it again: the info (struct ipt_getinfo) and the entries.
type LegacyTable struct {
	Family  string `json:"family"`  // ip or ip6
	Name    string `json:"name"`    // filter, nat, mangle, raw or security
	Info    Hex    `json:"info"`    // hooks and sizes of the table, in the byte order of the host
	Entries Hex    `json:"entries"` // rules as the kernel has them (struct ipt_entry, ip6t_entry)
	// Early says of the table raw that it is before fragments are put together: the parameter raw_before_defrag of the module (iptable_raw.c).
	Early bool `json:"early,omitempty"`
}

// Parse reads its rules.
func (t *LegacyTable) Parse() (Table, error) {
	info, err := parseLegacyInfo(t.Info)
	if err != nil {
		return Table{}, err
	}
	tab, err := parseLegacy(t.Family, t.Name, info, t.Entries)
	for i := range tab.Chains {
		if t.Early && t.Name == "raw" && tab.Chains[i].Base != nil {
			tab.Chains[i].Base.Priority = legacyEarly
		}
	}
	return tab, err
}

// legacyEarly is where the table raw hooks in if it is early (NF_IP_PRI_RAW_BEFORE_DEFRAG).
const legacyEarly = -450

// LegacyInfoSize is the size of the kernel's structure, the name included.
const LegacyInfoSize = legacyName + 4 + 5*4 + 5*4 + 4 + 4

// legacyName is the size of the name of a table (XT_TABLE_MAXNAMELEN).
const legacyName = 32

func parseLegacyInfo(b []byte) (info LegacyInfo, err error) {
	if len(b) < LegacyInfoSize {
		return info, errLegacyShort
	}
	at := legacyName
	next := func() uint32 { at += 4; return binary.NativeEndian.Uint32(b[at-4:]) }
	info.ValidHooks = next()
	for i := range info.HookEntry {
		info.HookEntry[i] = next()
	}
	for i := range info.Underflow {
		info.Underflow[i] = next()
	}
	info.Entries, info.Size = next(), next()
	return info, nil
}

var errLegacyShort = errors.New("the table ends within an entry")

// legacyLayout is where the parts of an entry are: struct ipt_entry and ip6t_entry.
type legacyLayout struct {
	addr                 int // bytes of an address: source, destination, their masks
	proto, flags, invert int
	targetAt, nextAt     int // offsets of the target and of the next entry, u16
	size                 int
	gotoFlag             byte
	src, dst             uint32 // offsets in the header of a packet
}

var (
	legacyIP  = legacyLayout{addr: 4, proto: 80, flags: 82, invert: 83, targetAt: 88, nextAt: 90, size: 112, gotoFlag: 0x02, src: 12, dst: 16}
	legacyIP6 = legacyLayout{addr: 16, proto: 128, flags: 131, invert: 132, targetAt: 140, nextAt: 142, size: 168, gotoFlag: 0x04, src: 8, dst: 24}
)

// The flags of an entry (IPT_F_FRAG, IP6T_F_PROTO) and what of it is inverted (IPT_INV_*, the same of IPv6).
const (
	legacyFragment = 0x01
	legacyHasProto = 0x01
	legacyInvIn    = 0x01
	legacyInvOut   = 0x02
	legacyInvSrc   = 0x08
	legacyInvDst   = 0x10
	legacyInvFrag  = 0x20
	legacyInvProto = 0x40
)

// The verdicts of a standard target below 0 (include/uapi/linux/netfilter/x_tables.h); others are the offset of a chain.
const (
	legacyDrop   = -1
	legacyAccept = -2
	legacyQueue  = -4
	legacyReturn = -5
)

// The parts of a match or a target: size, name and revision, before its data (struct xt_entry_match).
const (
	xtHead     = 32
	xtNameSize = 29
)

// legacyPriorities is where tables hook in (NF_IP_PRI_*, include/uapi/linux/netfilter_ipv4.h); nat does so at two places.
var legacyPriorities = map[string]int32{"raw": -300, "mangle": -150, "filter": 0, "security": 50}

// legacyHooks are the hooks by their number (NF_INET_*), and what x_tables calls their chains.
var legacyHooks = []struct{ hook, chain string }{
	{"prerouting", "PREROUTING"}, {"input", "INPUT"}, {"forward", "FORWARD"}, {"output", "OUTPUT"}, {"postrouting", "POSTROUTING"},
}

// LegacyTableName is how a table of iptables-legacy is called among those of nftables, which can have one of the same name.
func LegacyTableName(name string) string { return name + " (iptables-legacy)" }

// parseLegacy reads a table of iptables-legacy or ip6tables-legacy (family ip or ip6) as the kernel gives its entries. Matches and targets have
// the form that nftables gives them too. The rest of an entry becomes the expressions that iptables-nft makes of it, so that both mean the same
// to whoever reads rules. An error is a table that no kernel gives, or that has what is not understood.
func parseLegacy(family, name string, info LegacyInfo, entries []byte) (Table, error) {
	p := legacyParser{table: Table{Family: family, Name: LegacyTableName(name), Legacy: name, Chains: []Chain{}}, info: info, b: entries, layout: &legacyIP}
	if family == FamilyIP6 {
		p.layout = &legacyIP6
	}
	if _, ok := legacyPriorities[name]; !ok && name != "nat" {
		return Table{}, fmt.Errorf("a table %.32q is not known", name)
	}
	if err := p.frame(); err != nil {
		return Table{}, err
	}
	err := p.fill()
	return p.table, err
}

type legacyParser struct {
	table  Table
	info   LegacyInfo
	b      []byte
	layout *legacyLayout
	at     []int          // where entries begin
	chains map[int]string // user chains by where their first entry is
	heads  map[int]string // entries that only name a chain
	hooks  map[int]int    // numbers of hooks by where their chain begins
}

// frame finds the entries and the names of chains, which jumps refer to by their place.
func (p *legacyParser) frame() error {
	p.chains, p.heads, p.hooks = map[int]string{}, map[int]string{}, map[int]int{}
	for at := 0; at < len(p.b); {
		e, err := p.entry(at)
		if err != nil {
			return err
		}
		p.at = append(p.at, at)
		next := at + e.next
		if e.targetName() == "ERROR" {
			name := ""
			if data := e.target[xtHead:]; len(data) > 0 {
				name = text(data)
			}
			p.heads[at] = name
			if next < len(p.b) {
				if slices.ContainsFunc(legacyHooks, func(h struct{ hook, chain string }) bool { return h.chain == name }) || name == "" {
					return fmt.Errorf("a chain is called %.32q", name)
				}
				p.chains[next] = name
			}
		}
		at = next
	}
	for n := range legacyHooks {
		if p.info.ValidHooks&(1<<n) != 0 {
			p.hooks[int(p.info.HookEntry[n])] = n
		}
	}
	return nil
}

// legacyEntry is one entry.
type legacyEntry struct {
	b, matches, target []byte
	next               int // bytes from here
}

func (e *legacyEntry) targetName() string { return text(e.target[2 : 2+xtNameSize]) }

func (p *legacyParser) entry(at int) (e legacyEntry, err error) {
	if len(p.b)-at < p.layout.size {
		return e, errLegacyShort
	}
	e.b = p.b[at:]
	target, next := int(ne.Uint16(e.b[p.layout.targetAt:])), int(ne.Uint16(e.b[p.layout.nextAt:]))
	if target < p.layout.size || next < target+xtHead || next > len(e.b) {
		return e, errLegacyShort
	}
	e.matches, e.target, e.next, e.b = e.b[p.layout.size:target], e.b[target:next], next, e.b[:next]
	return e, nil
}

// fill makes the rules.
func (p *legacyParser) fill() error {
	var c *Chain
	policy := -1
	for _, at := range p.at {
		e, err := p.entry(at)
		if err != nil {
			return err
		}
		if _, head := p.heads[at]; head {
			c = nil
			continue
		}
		if n, ok := p.hooks[at]; ok {
			c, policy = p.base(n), int(p.info.Underflow[n])
		} else if name, ok := p.chains[at]; ok {
			p.table.Chains = append(p.table.Chains, Chain{Name: name})
			c, policy = &p.table.Chains[len(p.table.Chains)-1], -1
		}
		if c == nil {
			return errors.New("an entry is in no chain")
		}
		if at == policy {
			if err := p.policy(c, &e); err != nil {
				return err
			}
			c = nil
			continue
		}
		r, err := p.rule(at, &e)
		if err != nil {
			return fmt.Errorf("chain %.32q: %w", c.Name, err)
		}
		r.Handle = uint64(len(c.Rules) + 1) // its place in the chain, as iptables -L --line-numbers tells it
		c.Rules = append(c.Rules, r)
	}
	for i := range p.table.Chains {
		if b := p.table.Chains[i].Base; b != nil && b.Policy == "" {
			return fmt.Errorf("the chain %s has no policy", p.table.Chains[i].Name)
		}
	}
	return nil
}

// base adds the chain of a hook.
func (p *legacyParser) base(n int) *Chain {
	b := &Base{Type: "filter", Hook: legacyHooks[n].hook, Priority: legacyPriorities[p.table.Legacy]}
	switch p.table.Legacy {
	case "nat":
		b.Type, b.Priority = "nat", -100
		if b.Hook == "input" || b.Hook == "postrouting" {
			b.Priority = 100
		}
	case "mangle":
		if b.Hook == "output" {
			b.Type = "route" // it is routed again if a mark or an address changed (ipt_mangle_out)
		}
	}
	p.table.Chains = append(p.table.Chains, Chain{Name: legacyHooks[n].chain, Base: b})
	return &p.table.Chains[len(p.table.Chains)-1]
}

// policy reads the entry that ends the chain of a hook.
func (p *legacyParser) policy(c *Chain, e *legacyEntry) error {
	if e.targetName() != "" || len(e.target) < xtHead+4 {
		return fmt.Errorf("the chain %s has no policy", c.Name)
	}
	switch int32(ne.Uint32(e.target[xtHead:])) {
	case legacyDrop:
		c.Base.Policy = Drop
	case legacyAccept:
		c.Base.Policy = Accept
	default:
		return fmt.Errorf("the policy of the chain %s is no verdict", c.Name)
	}
	return nil
}

// rule makes the rule of an entry.
func (p *legacyParser) rule(at int, e *legacyEntry) (Rule, error) {
	exprs, err := p.header(e.b)
	if err != nil {
		return Rule{}, err
	}
	r := Rule{Exprs: exprs}
	for m := e.matches; len(m) > 0; {
		if len(m) < xtHead || int(ne.Uint16(m)) < xtHead || int(ne.Uint16(m)) > len(m) {
			return r, errLegacyShort
		}
		size := int(ne.Uint16(m))
		x := legacyXt(m[:size], false)
		if x.Xt.Name == "comment" {
			r.Comment = text(x.Xt.Info)
		}
		r.Exprs = append(r.Exprs, x)
		m = m[size:]
	}
	r.Exprs = append(r.Exprs, Expr{Name: "counter", Plain: true})
	if e.targetName() != "" {
		r.Exprs = append(r.Exprs, legacyXt(e.target, true))
		return r, nil
	}
	if len(e.target) < xtHead+4 {
		return r, errLegacyShort
	}
	v, err := p.verdict(int32(ne.Uint32(e.target[xtHead:])), at+e.next, e.b[p.layout.flags]&p.layout.gotoFlag != 0)
	switch {
	case v != nil && v.Kind == Queue: // the first one, and nothing passes where nobody listens
		r.Exprs = append(r.Exprs, Expr{Name: "queue", Extra: &Extra{Queue: &QueueTo{Total: 1}}})
	case v != nil:
		r.Exprs = append(r.Exprs, Expr{Name: "immediate", Immediate: &Immediate{Verdict: v}})
	}
	return r, err
}

// verdict is what a standard target says; nil if the next entry goes on.
func (p *legacyParser) verdict(n int32, next int, isGoto bool) (*Verdict, error) {
	switch n {
	case legacyDrop:
		return &Verdict{Kind: Drop}, nil
	case legacyAccept:
		return &Verdict{Kind: Accept}, nil
	case legacyQueue:
		return &Verdict{Kind: Queue}, nil
	case legacyReturn:
		return &Verdict{Kind: Return}, nil
	}
	if int(n) == next && !isGoto {
		return nil, nil
	}
	chain, ok := p.chains[int(n)]
	if !ok {
		return nil, fmt.Errorf("a rule leads to %d, where no chain begins", n)
	}
	if isGoto {
		return &Verdict{Kind: Goto, Chain: chain}, nil
	}
	return &Verdict{Kind: Jump, Chain: chain}, nil
}

// legacyXt is a match or a target.
func legacyXt(b []byte, target bool) Expr {
	x := &Xt{Target: target, Name: text(b[2 : 2+xtNameSize]), Rev: uint32(b[2+xtNameSize]), Info: clone(b[xtHead:])}
	x.decode()
	return Expr{Name: map[bool]string{true: "target", false: "match"}[target], Xt: x}
}

// header is what an entry asks of addresses, interfaces and the protocol.
func (p *legacyParser) header(b []byte) (list []Expr, err error) {
	l := p.layout
	n := l.addr
	names := 4 * n // input, output, and the masks of both
	flags, inv := b[l.flags], b[l.invert]
	for _, side := range []struct {
		name, mask []byte
		key        uint32
		not        bool
	}{
		{b[names : names+NameSize], b[names+2*NameSize : names+3*NameSize], MetaIifname, inv&legacyInvIn != 0},
		{b[names+NameSize : names+2*NameSize], b[names+3*NameSize : names+4*NameSize], MetaOifname, inv&legacyInvOut != 0},
	} {
		exprs, err := legacyInterface(side.name, side.mask, side.key, side.not)
		if err != nil {
			return nil, err
		}
		list = append(list, exprs...)
	}
	for i, side := range []struct {
		offset uint32
		not    bool
	}{{l.src, inv&legacyInvSrc != 0}, {l.dst, inv&legacyInvDst != 0}} {
		if addr, mask := b[i*n:(i+1)*n], b[(i+2)*n:(i+3)*n]; side.not || slices.ContainsFunc(mask, func(x byte) bool { return x != 0 }) {
			list = append(list, legacyMasked(BaseNetwork, side.offset, addr, mask, side.not)...)
		}
	}
	if l == &legacyIP && flags&legacyFragment != 0 { // what is not the first fragment (ip_packet_match)
		list = append(list, legacyMasked(BaseNetwork, 6, []byte{0, 0}, []byte{0x1f, 0xff}, inv&legacyInvFrag == 0)...)
	}
	if proto := ne.Uint16(b[l.proto:]); l == &legacyIP && proto != 0 || l == &legacyIP6 && flags&legacyHasProto != 0 && (proto != 0 || inv&legacyInvProto != 0) {
		if proto > 0xff {
			return nil, fmt.Errorf("a protocol %d does not exist", proto)
		}
		list = append(list, Expr{Name: "meta", Meta: &Meta{Key: MetaL4proto, Dreg: 1}}, legacyCmp([]byte{byte(proto)}, inv&legacyInvProto != 0))
	}
	return list, nil
}

// legacyInterface compares the name of an interface, or how it begins.
func legacyInterface(name, mask []byte, key uint32, not bool) ([]Expr, error) {
	n := 0
	for n < len(mask) && mask[n] == 0xff {
		n++
	}
	if strings.Trim(string(mask[n:]), "\x00") != "" {
		return nil, errors.New("the mask of an interface has holes")
	}
	if n == 0 {
		if not {
			return nil, errors.New("no interface is excluded")
		}
		return nil, nil
	}
	return []Expr{{Name: "meta", Meta: &Meta{Key: key, Dreg: 1}}, legacyCmp(name[:n], not)}, nil
}

// legacyMasked compares bytes of a packet under a mask: they hold if (packet & mask) is the value.
func legacyMasked(base string, offset uint32, value, mask []byte, not bool) []Expr {
	n := uint32(len(value))
	return []Expr{
		{Name: "payload", Payload: &Payload{Base: base, Offset: offset, Len: n, Dreg: 1}},
		{Name: "bitwise", Bitwise: &Bitwise{Sreg: 1, Dreg: 1, Len: n, Mask: clone(mask), Xor: make(Hex, n), Op: "mask"}},
		legacyCmp(value, not),
	}
}

func legacyCmp(value []byte, not bool) Expr {
	return Expr{Name: "cmp", Cmp: &Cmp{Sreg: 1, Op: map[bool]string{true: OpNeq, false: OpEq}[not], Data: clone(value)}}
}
