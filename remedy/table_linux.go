//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// kernelHooks are the hooks of the chains, of both families (NF_INET_* and NF_BR_* have the same numbers).
var kernelHooks = map[string]*nftables.ChainHook{
	"prerouting": nftables.ChainHookPrerouting, "input": nftables.ChainHookInput, "forward": nftables.ChainHookForward,
}

// kernelFamilies are the families of our tables as the kernel numbers them.
var kernelFamilies = map[string]nftables.TableFamily{
	ruleset.FamilyInet: nftables.TableFamilyINet, bridgeFamily: nftables.TableFamilyBridge,
}

// bridges says whether the kernel has the family bridge. One that does not refuses its tables, also to remove one that
// is not there.
var bridges = sync.OnceValue(func() bool {
	err := tryOut(func(conn *nftables.Conn) error {
		conn.AddTable(&nftables.Table{Name: trialTable, Family: nftables.TableFamilyBridge})
		return nil
	})
	return !errors.Is(err, unix.EOPNOTSUPP)
})

// chunk bounds the elements of one message: a netlink attribute holds 64 KiB.
const chunk = 400

// tableUserdata is the attribute of a table that the kernel keeps and does not read (NFTA_TABLE_USERDATA in
// include/uapi/linux/netfilter/nf_tables.h). One that does not know it passes it over.
const tableUserdata = 6

// build queues the plan's tables in place of any of that name. With gate the drops work for that time only: then the
// kernel itself lets the elements of their set expire, and each chain accepts what comes.
func (p *Plan) build(conn *nftables.Conn, name string, gate time.Duration) error {
	if err := dropTables(name)(conn); err != nil {
		return err
	}
	for _, family := range p.families() {
		if err := p.buildTable(conn, family, name, gate); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) buildTable(conn *nftables.Conn, family, name string, gate time.Duration) error {
	table := conn.AddTable(&nftables.Table{Name: name, Family: kernelFamilies[family]})
	var armed *nftables.Set
	if gate > 0 {
		armed = &nftables.Set{Table: table, Name: setArmed, KeyType: nftables.TypeNFProto, HasTimeout: true}
		kinds := []byte{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}
		if family == bridgeFamily { // there a packet is of the bridge's own
			kinds = []byte{unix.NFPROTO_BRIDGE}
		}
		var elements []nftables.SetElement
		for _, k := range kinds {
			elements = append(elements, nftables.SetElement{Key: []byte{k}, Timeout: gate})
		}
		if err := conn.AddSet(armed, elements); err != nil {
			return fmt.Errorf("set %s: %w", setArmed, err)
		}
	}
	sets, err := p.buildSets(conn, table, family)
	if err != nil {
		return err
	}
	for i := range specs {
		c := &specs[i]
		if c.family == family && p.uses(c.name) {
			if err := p.buildChain(conn, table, c, armed, sets); err != nil {
				return fmt.Errorf("chain %s: %w", c.name, err)
			}
		}
	}
	return nil
}

// buildChain queues a chain with its rules, behind the gate where there is one.
func (p *Plan) buildChain(conn *nftables.Conn, table *nftables.Table, c *chainSpec, armed *nftables.Set, sets map[string]uint32) error {
	policy, priority := nftables.ChainPolicyAccept, nftables.ChainPriority(c.number)
	if p.policy(c.name) == "drop" && armed == nil { // the policy is a rule as long as it has to expire
		policy = nftables.ChainPolicyDrop
	}
	chain := conn.AddChain(&nftables.Chain{
		Name: c.name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: kernelHooks[c.hook], Priority: &priority, Policy: &policy,
	})
	add := func(comment string, list ...ruleset.Expr) error {
		exprs, err := encoded(list, sets)
		conn.AddRule(&nftables.Rule{
			Table: table, Chain: chain, Exprs: exprs, UserData: userdata.AppendString(nil, userdata.TypeComment, comment),
		})
		return err
	}
	if armed != nil {
		sets[setArmed] = armed.ID
		if err := add(commentGate, meta(ruleset.MetaNfproto), lookup(setArmed, true), verdict(ruleset.Accept)); err != nil {
			return err
		}
	}
	for j := range p.Rules {
		r := &p.Rules[j]
		if r.Chain != c.name {
			continue
		}
		if err := add(r.Comment, r.Exprs()...); err != nil {
			return err
		}
	}
	if armed != nil && p.policy(c.name) == "drop" {
		return add(commentPolicy, counter(), verdict(ruleset.Drop))
	}
	return nil
}

// buildSets queues the sets that rules look up, and returns their numbers in the transaction.
func (p *Plan) buildSets(conn *nftables.Conn, table *nftables.Table, family string) (map[string]uint32, error) {
	sets := map[string]uint32{}
	for _, s := range p.sets(family) {
		set := &nftables.Set{
			Table: table, Name: s.name, KeyType: setKinds[s.kind], Interval: s.interval, Concatenation: s.kind == kindTwice,
			KeyByteOrder: keyOrders[s.kind],
		}
		if err := conn.AddSet(set, nil); err != nil {
			return nil, fmt.Errorf("set %s: %w", set.Name, err)
		}
		for list := encodedElements(s); len(list) > 0; list = list[min(chunk, len(list)):] {
			if err := conn.SetAddElements(set, list[:min(chunk, len(list))]); err != nil {
				return nil, fmt.Errorf("set %s: %w", set.Name, err)
			}
		}
		sets[set.Name] = set.ID
	}
	return sets, nil
}

// change is a transaction: what it queues is sent as one batch.
type change func(*nftables.Conn) error

// dropTables removes the tables of these names, of every family that ours can be of.
func dropTables(list ...string) change { return dropBut(nil, list...) }

// dropBut is dropTables without those that are spared.
func dropBut(spare []TableName, list ...string) change {
	return func(conn *nftables.Conn) error {
		for _, name := range list {
			for _, family := range families {
				if family == bridgeFamily && !bridges() || spared(spare, family, name) {
					continue
				}
				t := &nftables.Table{Name: name, Family: kernelFamilies[family]}
				conn.AddTable(t) // so that one that is gone already is no error
				conn.DelTable(t)
			}
		}
		return nil
	}
}

// encode is the messages of a transaction, with its beginning and end.
func encode(c change) ([]netlink.Message, error) {
	var batch []netlink.Message
	conn, err := nftables.New(nftables.WithTestDial(func(req []netlink.Message) ([]netlink.Message, error) {
		batch = append(batch, req...)
		return nil, io.EOF
	}))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := c(conn); err != nil {
		return nil, err
	}
	if err := conn.Flush(); err != nil && !errors.Is(err, io.EOF) && len(batch) == 0 {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if len(batch) < 2 {
		return nil, errors.New("encode: an empty transaction")
	}
	return batch, nil
}

// commit sends transactions as one. With a generation other than 0 the kernel refuses it where the ruleset
// is of another (ErrChanged). All or nothing of it holds.
func commit(generation uint32, changes ...change) error {
	return send(generation, true, nil, changes...)
}

// commitMarked is commit, and gives the tables that it makes their marks, by name.
func commitMarked(generation uint32, marks map[string]string, changes ...change) error {
	return send(generation, true, marks, changes...)
}

// tryOut has the kernel check a transaction and throw it away: without its end nothing is committed
// (nfnetlink_rcv_batch).
func tryOut(changes ...change) error { return send(0, false, nil, changes...) }

func send(generation uint32, whole bool, marks map[string]string, changes ...change) error {
	batch, err := encode(func(conn *nftables.Conn) error {
		for _, c := range changes {
			if err := c(conn); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := addMarks(batch, marks); err != nil {
		return err
	}
	if !whole {
		batch = batch[:len(batch)-1]
	}
	return sendBatch(batch, generation)
}

// addMarks gives the tables that a batch makes their marks. What is made to be removed gets one too.
func addMarks(batch []netlink.Message, marks map[string]string) error {
	for i := range batch {
		m := &batch[i]
		e, ok, err := wire.ParseNFTablesEvent(*m)
		if err != nil || !ok || e.Kind != unix.NFT_MSG_NEWTABLE || marks[e.Table] == "" {
			continue
		}
		attr, err := netlink.MarshalAttributes([]netlink.Attribute{
			{Type: tableUserdata, Data: userdata.AppendString(nil, userdata.TypeComment, marks[e.Table])},
		})
		if err != nil {
			return fmt.Errorf("encode: mark of table %s: %w", e.Table, err)
		}
		m.Data = append(m.Data, attr...)
		m.Header.Length += uint32(len(attr))
	}
	return nil
}

// sendBatch writes a batch to the kernel, and reads what it says.
func sendBatch(batch []netlink.Message, generation uint32) error {
	b, err := wire.Batch(batch, generation)
	if err != nil {
		return err
	}
	err = host.SendBatch(unix.NETLINK_NETFILTER, b, wire.BatchAnswer)
	if errors.Is(err, unix.ERESTART) {
		return ErrChanged
	}
	return err
}
