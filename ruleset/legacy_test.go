package ruleset

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// legacyBuilder makes the entries of a table as the kernel gives them.
type legacyBuilder struct {
	b    []byte
	info LegacyInfo
}

// entry adds an entry and says where it is.
func (l *legacyBuilder) entry(change func([]byte), target []byte) int {
	at := len(l.b)
	e := make([]byte, legacyIP.size)
	if change != nil {
		change(e)
	}
	ne.PutUint16(e[legacyIP.targetAt:], uint16(len(e)))
	ne.PutUint16(e[legacyIP.nextAt:], uint16(len(e)+len(target)))
	l.b = append(append(l.b, e...), target...)
	l.info.Entries++
	l.info.Size = uint32(len(l.b))
	return at
}

func standard(verdict int32) []byte {
	t := make([]byte, xtHead+8)
	ne.PutUint16(t, uint16(len(t)))
	ne.PutUint32(t[xtHead:], uint32(verdict))
	return t
}

func head(name string) []byte {
	t := make([]byte, xtHead+32)
	ne.PutUint16(t, uint16(len(t)))
	copy(t[2:], "ERROR")
	copy(t[xtHead:], name)
	return t
}

// table has a chain of input with one rule, its policy, and a chain of a user's with one rule.
func (l *legacyBuilder) table(change func([]byte), verdict func(chain int) int32, policy int32) {
	l.info = LegacyInfo{ValidHooks: 1 << 1}
	size := legacyIP.size + xtHead + 8
	chain := 2*size + legacyIP.size + xtHead + 32
	l.info.HookEntry[1] = uint32(l.entry(change, standard(verdict(chain))))
	l.info.Underflow[1] = uint32(l.entry(nil, standard(policy)))
	l.entry(nil, head("mine"))
	l.entry(nil, standard(legacyAccept))
	l.entry(nil, standard(legacyReturn))
	l.entry(nil, head("ERROR"))
}

// TestLegacyTablesAreRead: what stands in an entry, and where it leads.
func TestLegacyTablesAreRead(t *testing.T) {
	name := func(b []byte, text string, full bool) {
		copy(b[16:], text)
		n := len(text)
		if full {
			n++
		}
		copy(b[48:], strings.Repeat("\xff", n))
	}
	to := func(v int32) func(int) int32 { return func(int) int32 { return v } }
	jump := func(chain int) int32 { return int32(chain) }
	for what, c := range map[string]struct {
		change  func([]byte)
		verdict func(int) int32
		want    string
	}{
		"an interface":      {func(b []byte) { name(b, "eth0", true) }, to(legacyDrop), `iifname "eth0" counter drop`},
		"interfaces":        {func(b []byte) { name(b, "veth", false) }, to(legacyAccept), `iifname "veth*" counter accept`},
		"another interface": {func(b []byte) { name(b, "eth0", true); b[83] = legacyInvIn }, to(legacyAccept), `iifname != "eth0" counter accept`},
		"a source":          {func(b []byte) { copy(b, "\x0a\x00\x00\x00"); copy(b[8:], "\xff\x00\x00\x00") }, to(legacyAccept), "ip saddr 10.0.0.0/8 counter accept"},
		"another destination": {func(b []byte) {
			copy(b[4:], "\x0a\x00\x00\x01")
			copy(b[12:], "\xff\xff\xff\xff")
			b[83] = legacyInvDst
		}, to(legacyQueue), "ip daddr != 10.0.0.1/32 counter queue to 0"},
		"a protocol":           {func(b []byte) { b[80] = 17 }, to(legacyReturn), "meta l4proto udp counter return"},
		"later fragments":      {func(b []byte) { b[82] = legacyFragment }, to(legacyDrop), "@nh,48,16 & 0x1fff != 0x0000 counter drop"},
		"a jump":               {nil, jump, "counter jump mine"},
		"a goto":               {func(b []byte) { b[82] = 0x02 }, jump, "counter goto mine"},
		"a rule without a use": {nil, to(int32(legacyIP.size + xtHead + 8)), "counter"},
	} {
		var l legacyBuilder
		l.table(c.change, c.verdict, legacyDrop)
		tab, err := parseLegacy(FamilyIP, "filter", l.info, l.b)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		in := tab.Chain("INPUT")
		if got := in.Rules[0].Text(&tab); got != c.want || len(in.Rules) != 1 {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
		if in.Base.Policy != Drop || in.Base.Hook != "input" || in.Base.Priority != 0 || tab.Chain("mine") == nil || len(tab.Chain("mine").Rules) != 2 {
			t.Errorf("%s: %+v", what, tab.Chains)
		}
		if err := (&Ruleset{Stable: true, Tables: []Table{tab}}).Check(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestLegacyTablesThatNoKernelGives are refused.
func TestLegacyTablesThatNoKernelGives(t *testing.T) {
	nowhere := func(chain int) int32 { return int32(chain + 8) }
	for what, c := range map[string]struct {
		damage  func(*legacyBuilder)
		verdict func(int) int32
		policy  int32
	}{
		"a jump into the middle of a chain": {verdict: nowhere, policy: legacyDrop},
		"a policy that returns":             {policy: legacyReturn},
		"an end within an entry":            {damage: func(l *legacyBuilder) { l.b = l.b[:len(l.b)-1] }, policy: legacyDrop},
		"no policy":                         {damage: func(l *legacyBuilder) { l.info.Underflow[1] = 1 }, policy: legacyDrop},
		"a target before the matches":       {damage: func(l *legacyBuilder) { ne.PutUint16(l.b[legacyIP.targetAt:], 4) }, policy: legacyDrop},
		"an entry without a size":           {damage: func(l *legacyBuilder) { ne.PutUint16(l.b[legacyIP.nextAt:], 0) }, policy: legacyDrop},
		"a mask with holes":                 {damage: func(l *legacyBuilder) { l.b[49] = 1 }, policy: legacyDrop},
		"a protocol beyond a byte":          {damage: func(l *legacyBuilder) { l.b[81] = 1 }, policy: legacyDrop},
	} {
		if c.verdict == nil {
			c.verdict = func(int) int32 { return legacyAccept }
		}
		var l legacyBuilder
		l.table(nil, c.verdict, c.policy)
		if c.damage != nil {
			c.damage(&l)
		}
		if _, err := parseLegacy(FamilyIP, "filter", l.info, l.b); err == nil {
			t.Errorf("%s is read", what)
		}
	}
	if _, err := parseLegacy(FamilyIP, "broute", LegacyInfo{}, nil); err == nil {
		t.Error("a table that is not known is read")
	}
}

// FuzzLegacy: no bytes make the reader fail otherwise than by an error, and what it reads is a ruleset.
func FuzzLegacy(f *testing.F) {
	var l legacyBuilder
	l.table(func(b []byte) { b[80] = 6 }, func(chain int) int32 { return int32(chain) }, legacyAccept)
	f.Add(false, uint8(1), slices.Clone(l.b))
	f.Fuzz(func(t *testing.T, v6 bool, hook uint8, b []byte) {
		info := l.info
		if n := int(hook) % len(info.HookEntry); len(b) > 8 {
			info.ValidHooks |= 1 << n
			info.HookEntry[n] = binary.NativeEndian.Uint32(b) % uint32(len(b))
			info.Underflow[n] = binary.NativeEndian.Uint32(b[4:]) % uint32(len(b))
		}
		family := FamilyIP
		if v6 {
			family = FamilyIP6
		}
		tab, err := parseLegacy(family, "mangle", info, b)
		if err != nil {
			return
		}
		if err := (&Ruleset{Stable: true, Tables: []Table{tab}}).Check(); err != nil {
			t.Error(err)
		}
	})
}

// TestLegacyTableRawCanBeEarly: a parameter of the module puts it before fragments are put together.
func TestLegacyTableRawCanBeEarly(t *testing.T) {
	var l legacyBuilder
	l.table(nil, func(int) int32 { return legacyDrop }, legacyAccept)
	for early, want := range map[bool]int32{false: -300, true: -450} {
		tab, err := l.raw(early).Parse()
		if err != nil || tab.Chain("INPUT").Base.Priority != want {
			t.Errorf("early %v: %+v, %v", early, tab.Chains, err)
		}
	}
}

// raw is what was built as the kernel tells it.
func (l *legacyBuilder) raw(early bool) *LegacyTable {
	info := make([]byte, LegacyInfoSize)
	at := legacyName
	for _, n := range slices.Concat([]uint32{l.info.ValidHooks}, l.info.HookEntry[:], l.info.Underflow[:], []uint32{l.info.Entries, l.info.Size}) {
		ne.PutUint32(info[at:], n)
		at += 4
	}
	return &LegacyTable{Family: FamilyIP, Name: "raw", Info: info, Entries: l.b, Early: early}
}
