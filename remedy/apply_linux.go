package remedy

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// Trial is a plan that is loaded but not confirmed. Its table belongs to the socket of this process
// (flag owner): when the process ends in whatever way, the kernel removes the table.
type Trial struct {
	plan *Plan
	conn *nftables.Conn
}

// ErrNothing says that a plan has no rule.
var ErrNothing = errors.New("the plan has no rule to load")

// Try loads the plan in one transaction, which fails when the ruleset is no longer of that
// generation.
func Try(p *Plan, generation uint32) (*Trial, error) {
	if len(p.Rules) == 0 {
		return nil, ErrNothing
	}
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	p.build(conn, trialTable, nftables.TableFlagOwner)
	if err := conn.FlushWithGenID(generation); err != nil {
		_ = conn.CloseLasting()
		if errors.Is(err, unix.ERESTART) {
			return nil, fmt.Errorf("load the plan: the ruleset was changed meanwhile: %w", err)
		}
		return nil, fmt.Errorf("load the plan: %w", err)
	}
	return &Trial{plan: p, conn: conn}, nil
}

// Confirm makes the table permanent until the next boot, in one transaction and without a gap.
func (t *Trial) Confirm() error {
	t.plan.build(t.conn, Table, 0)
	t.conn.DelTable(&nftables.Table{Name: trialTable, Family: nftables.TableFamilyINet})
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("keep the plan: %w", err)
	}
	return t.conn.CloseLasting()
}

// Rollback removes the trial. Nothing else was changed: a table that was confirmed before is still
// there.
func (t *Trial) Rollback() error {
	t.conn.DelTable(&nftables.Table{Name: trialTable, Family: nftables.TableFamilyINet})
	err := t.conn.Flush()
	// The kernel removes an owned table with the socket, also when the deletion failed.
	if cerr := t.conn.CloseLasting(); err == nil && cerr != nil {
		err = cerr
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove table inet %s: %w", trialTable, err)
	}
	return nil
}

// ReadBack compares the loaded table in a ruleset with the plan.
func (t *Trial) ReadBack(rs *ruleset.Ruleset) error { return t.plan.readBack(rs, trialTable) }

func (p *Plan) readBack(rs *ruleset.Ruleset, name string) error {
	for i := range rs.Tables {
		t := &rs.Tables[i]
		if t.Name != name || t.Family != ruleset.FamilyInet {
			continue
		}
		for _, chain := range []string{chainIn, chainForward} {
			var want []string
			for _, r := range p.Rules {
				if r.Chain == chain {
					want = append(want, r.Comment)
				}
			}
			c := t.Chain(chain)
			if len(want) == 0 && c == nil {
				continue
			}
			if c == nil || len(c.Rules) != len(want) {
				return fmt.Errorf("read back: chain %s does not have its %d rules", chain, len(want))
			}
			for j, r := range c.Rules {
				if r.Comment != want[j] {
					return fmt.Errorf("read back: rule %d of chain %s is not ours", j+1, chain)
				}
			}
		}
		return nil
	}
	return fmt.Errorf("read back: table inet %s is not there", name)
}

// build queues the whole table: created if it is missing, deleted, created anew.
func (p *Plan) build(conn *nftables.Conn, name string, flags nftables.TableFlags) {
	old := &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
	conn.AddTable(old)
	conn.DelTable(old)
	table := conn.AddTable(&nftables.Table{Name: name, Family: nftables.TableFamilyINet, Flags: flags})
	accept := nftables.ChainPolicyAccept
	chains := map[string]*nftables.Chain{}
	for _, c := range []struct {
		name     string
		hook     *nftables.ChainHook
		priority nftables.ChainPriority
	}{
		{chainIn, nftables.ChainHookPrerouting, priorityIn},
		{chainForward, nftables.ChainHookForward, priorityFwd},
	} {
		if p.uses(c.name) {
			chains[c.name] = conn.AddChain(&nftables.Chain{
				Name: c.name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: c.hook,
				Priority: new(c.priority), Policy: &accept,
			})
		}
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		conn.AddRule(&nftables.Rule{
			Table: table, Chain: chains[r.Chain], Exprs: r.exprs(),
			UserData: userdata.AppendString(nil, userdata.TypeComment, r.Comment),
		})
	}
}

func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// exprs is the rule as expressions, in the order of its text.
func (r *Rule) exprs() []expr.Any {
	eq := func(data []byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
	es := []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, eq(ifname(r.Iif))}
	if r.Oif != "" {
		es = append(es, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, eq(ifname(r.Oif)))
	}
	if r.Source.IsValid() {
		es = append(es, r.source()...)
	}
	if r.Proto != "" {
		proto := map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP}[r.Proto]
		es = append(
			es,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, eq([]byte{proto}),
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			eq(binaryutil.BigEndian.PutUint16(uint16(r.Port))),
		)
	}
	if r.Chain == chainIn {
		es = append(
			es,
			&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagDADDR: true},
			eq(binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)),
		)
	}
	if r.Accept {
		return append(es, &expr.Verdict{Kind: expr.VerdictAccept})
	}
	return append(
		es,
		&expr.Ct{Key: expr.CtKeyDIRECTION, Register: 1}, eq([]byte{0}),
		&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop},
	)
}

func (r *Rule) source() []expr.Any {
	proto, off, n := byte(unix.NFPROTO_IPV6), uint32(8), uint32(16)
	if r.Source.Addr().Is4() {
		proto, off, n = unix.NFPROTO_IPV4, 12, 4
	}
	mask := make([]byte, n)
	for i := range r.Source.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: off, Len: n},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: n, Mask: mask, Xor: make([]byte, n)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: r.Source.Masked().Addr().AsSlice()},
	}
}
