//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// readAttempts is how often a ruleset that changes while it is read is read again.
const readAttempts = 5

func collectNFTables(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	snap.NFTables.Legacy = s.legacyTables(out)
	if !s.Host.Live() {
		out.worse(snapshot.Error, "the packet filter can only be read on a live host")
		return out
	}
	rs, err := settledRuleset(ctx, s.Host)
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL):
		out.worse(snapshot.Absent, "the kernel has no nf_tables: %v", err)
	case err != nil:
		out.fail("read nftables (needs CAP_NET_ADMIN)", err)
	case !rs.Stable:
		snap.NFTables.Ruleset = rs
		out.worse(snapshot.Error, "the ruleset changed during each of %d readings", readAttempts)
	default:
		snap.NFTables.Ruleset = rs
	}
	snap.NFTables.Queues = s.queues(snap.NFTables.Ruleset)
	return out
}

// legacyTables lists the tables of the x_tables filters, which nftables' netlink does not show
// (/proc/net/*_tables_names; ebtables has no such file before nf_tables).
func (s *Scan) legacyTables(out *Outcome) map[string]snapshot.Fact {
	legacy := map[string]snapshot.Fact{}
	for name, file := range tableNames {
		f := s.tableNamesFact(file)
		legacy[name] = f
		if f.State == snapshot.Denied || f.State == snapshot.Error {
			out.partial("%s: %s", name, f.Reason)
		}
	}
	legacy["ebtables"] = s.fact("/proc/modules")
	if f := legacy["ebtables"]; f.State == snapshot.Present {
		v := ""
		for _, t := range []string{"ebtable_filter", "ebtable_nat", "ebtable_broute"} {
			if strings.Contains("\n"+f.Value, "\n"+t+" ") {
				v = strings.TrimSpace(v + " " + strings.TrimPrefix(t, "ebtable_"))
			}
		}
		legacy["ebtables"] = present("%s", v)
	}
	return legacy
}

// tableNames are the files that list the tables of x_tables.
var tableNames = map[string]string{
	"iptables": "ip_tables_names", "ip6tables": "ip6_tables_names", "arptables": "arp_tables_names",
}

// tableNamesFact lists the tables in the network namespace of the thread.
func (s *Scan) tableNamesFact(file string) snapshot.Fact {
	f := s.fact("/proc/thread-self/net/" + file)
	f.Value = strings.Join(strings.Fields(f.Value), " ")
	return f
}

// nfReader reads one namespace's ruleset. It dumps raw messages: the library's own listing skips
// expressions that it has no type for, and one malformed rule ends the listing of its chain.
type nfReader struct {
	conn *netlink.Conn
	rs   *ruleset.Ruleset
	left *int                      // bytes that may still be read; nil: any number
	uses map[*ruleset.Table]uint64 // what is in the chains of a table, or leads to them: no fewer than their rules
	only []string                  // names of the tables that are read; nil: all
}

var errTooLarge = errors.New("the ruleset is too large to be read from a network namespace that is not the host's")

// ReadRuleset reads the ruleset of our own network namespace. The generation before and after must
// be the same; else it reads again, and after readAttempts returns it with Stable false.
func ReadRuleset(ctx context.Context, h *host.Host) (*ruleset.Ruleset, error) {
	return readRuleset(ctx, h, nil)
}

// ReadTables reads in the same way the tables of some names alone, and nothing of iptables-legacy and of sets of ipset(8).
func ReadTables(ctx context.Context, h *host.Host, names ...string) (*ruleset.Ruleset, error) {
	conn, err := h.Questions(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := &nfReader{conn: conn, only: names}
	if err := r.stable(ctx); err != nil {
		return nil, err
	}
	return r.rs, nil
}

// readRuleset reads the ruleset of the namespace of the thread.
func readRuleset(ctx context.Context, h *host.Host, left *int) (*ruleset.Ruleset, error) {
	conn, err := h.Questions(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := &nfReader{conn: conn, left: left}
	if err := r.stable(ctx); err != nil {
		return nil, err
	}
	r.readLegacy(h)
	if r.rs.IPSets, err = r.readIPSets(h); err != nil {
		r.rs.IPSetsUnread = err.Error()
	}
	return r.rs, nil
}

// stable reads until the generation before and after is the same, readAttempts times.
func (r *nfReader) stable(ctx context.Context) error {
	for range readAttempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		before, err := r.generation()
		if err != nil {
			return err
		}
		readErr := r.read()
		after, err := r.generation()
		if err != nil {
			return err
		}
		// A chain or set that vanished between two dumps is a change, not a failure. So is what is there twice: the kernel counts a generation up just before
		// what is of it comes into force (nf_tables_commit), and a dump in between has the old and the new.
		if readErr != nil && !errors.Is(readErr, errTwice) && before == after || errors.Is(readErr, errTooLarge) {
			return readErr
		}
		r.rs.Generation, r.rs.Stable = after, readErr == nil && before == after
		if r.rs.Stable {
			break
		}
	}
	return nil
}

// generation is the number of the ruleset's last change.
func (r *nfReader) generation() (uint32, error) {
	msgs, err := r.conn.Execute(wire.NFTables(unix.NFT_MSG_GETGEN, unix.AF_UNSPEC, 0))
	if err != nil {
		return 0, fmt.Errorf("generation: %w", err)
	}
	for _, m := range msgs {
		if e, ok, err := wire.ParseNFTablesEvent(m); ok && e.Kind == unix.NFT_MSG_NEWGEN {
			return e.Generation, err
		}
	}
	return 0, fmt.Errorf("generation: %w", wire.ErrTruncated)
}

// all asks for all objects of a kind, of every family.
func all(kind int) netlink.Message { return wire.NFTables(kind, unix.AF_UNSPEC, netlink.Dump) }

// dump sends a dump request and hands each answer's family and attributes on.
func (r *nfReader) dump(request netlink.Message, each func(family uint8, b []byte) error) error {
	if _, err := r.conn.Send(request); err != nil {
		return fmt.Errorf("netlink dump: %w", err)
	}
	var first error
	for m, err := range r.conn.ReceiveIter() {
		if err != nil {
			return fmt.Errorf("netlink dump: %w", err)
		}
		if r.left != nil {
			if *r.left -= len(m.Data); *r.left < 0 {
				return errTooLarge
			}
		}
		if m.Header.Flags&netlink.DumpInterrupted != 0 && first == nil {
			first = errInterrupted
		}
		family, attrs, err := wire.Body(m.Data)
		if err == nil && first == nil {
			err = each(family, attrs)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

var (
	errInterrupted = errors.New("the ruleset changed during the dump")
	errTwice       = errors.New("a table or a chain is there twice")
)

var families = map[string]uint8{
	ruleset.FamilyInet: 1, ruleset.FamilyIP: 2, ruleset.FamilyARP: 3, ruleset.FamilyNetdev: 5,
	ruleset.FamilyBridge: 7, ruleset.FamilyIP6: 10,
}

func (r *nfReader) read() error {
	r.rs, r.uses = &ruleset.Ruleset{Tables: []ruleset.Table{}}, map[*ruleset.Table]uint64{}
	type key struct{ family, table string }
	index := map[key]int{}
	err := r.dump(all(unix.NFT_MSG_GETTABLE), func(fam uint8, b []byte) error {
		t, err := ruleset.DecodeTable(fam, b)
		if r.only != nil && !slices.Contains(r.only, t.Name) {
			return err
		}
		t.Chains = []ruleset.Chain{}
		if _, twice := index[key{t.Family, t.Name}]; twice && err == nil {
			err = errTwice
		}
		index[key{t.Family, t.Name}] = len(r.rs.Tables)
		r.rs.Tables = append(r.rs.Tables, t)
		return err
	})
	if err != nil || r.only != nil && len(r.rs.Tables) == 0 {
		return err
	}
	table := func(fam uint8, name string) *ruleset.Table {
		i, ok := index[key{ruleset.FamilyName(fam), name}]
		if !ok {
			return nil
		}
		return &r.rs.Tables[i]
	}
	err = r.dump(all(unix.NFT_MSG_GETCHAIN), func(fam uint8, b []byte) error {
		name, c, err := ruleset.DecodeChain(fam, b)
		if t := table(fam, name); t != nil && err == nil {
			t.Chains = append(t.Chains, c)
			r.uses[t] += uint64(wire.UsesOfChain(b))
		}
		return err
	})
	if err != nil {
		return err
	}
	err = r.dump(all(unix.NFT_MSG_GETSET), func(fam uint8, b []byte) error {
		name, st, err := ruleset.DecodeSet(b)
		if t := table(fam, name); t != nil && err == nil {
			t.Sets = append(t.Sets, st)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = r.dump(all(unix.NFT_MSG_GETFLOWTABLE), func(fam uint8, b []byte) error {
		name, ft, err := ruleset.DecodeFlowtable(b)
		if t := table(fam, name); t != nil && err == nil {
			t.Flowtables = append(t.Flowtables, ft)
		}
		return err
	})
	if err != nil && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	err = r.dump(all(unix.NFT_MSG_GETOBJ), func(fam uint8, b []byte) error {
		name, o, err := ruleset.DecodeObject(b)
		if t := table(fam, name); t != nil && err == nil {
			t.Objects = append(t.Objects, o)
		}
		return err
	})
	if err != nil && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	for i := range r.rs.Tables {
		if err := r.readTable(&r.rs.Tables[i]); err != nil {
			return err
		}
	}
	sort.SliceStable(r.rs.Tables, func(i, j int) bool {
		a, b := &r.rs.Tables[i], &r.rs.Tables[j]
		if a.Family != b.Family {
			return a.Family < b.Family
		}
		return a.Name < b.Name
	})
	return nil
}

// A dump of a table's rules costs a walk over all of them for each part of it, one of a chain a question: kube-proxy has thousands of chains.
const (
	manyChains = 64
	manyRules  = 300_000
)

// readRules reads the rules of a table: of many chains together, unless there are so many rules that the kernel would mostly look for where it was.
func (r *nfReader) readRules(t *ruleset.Table) error {
	fam, by := families[t.Family], map[string]*ruleset.Chain{}
	for i := range t.Chains {
		by[t.Chains[i].Name] = &t.Chains[i]
	}
	if len(by) < len(t.Chains) {
		return errTwice
	}
	each := func(_ uint8, b []byte) error {
		table, chain, rule, err := ruleset.DecodeRule(b)
		if c := by[chain]; c != nil && table == t.Name && err == nil {
			c.Rules = append(c.Rules, rule)
		}
		return err
	}
	if len(t.Chains) > manyChains && r.uses[t] <= manyRules {
		if err := r.dump(wire.ListRulesOf(fam, t.Name, ""), each); err != nil {
			return fmt.Errorf("rules of %s %s: %w", t.Family, t.Name, err)
		}
		return nil
	}
	for i := range t.Chains {
		if err := r.dump(wire.ListRulesOf(fam, t.Name, t.Chains[i].Name), each); err != nil {
			return fmt.Errorf("rules of %s %s %s: %w", t.Family, t.Name, t.Chains[i].Name, err)
		}
	}
	return nil
}

// readTable reads the rules of a table, and the elements of each set.
func (r *nfReader) readTable(t *ruleset.Table) error {
	fam := families[t.Family]
	if err := r.readRules(t); err != nil {
		return err
	}
	for i := range t.Sets {
		st := &t.Sets[i]
		var parts [][]ruleset.Element // joined once: a set can be large
		err := r.dump(wire.ListElements(fam, t.Name, st.Name), func(_ uint8, b []byte) error {
			els, err := ruleset.DecodeElements(b)
			parts = append(parts, els)
			return err
		})
		st.Elements = slices.Concat(parts...)
		if err != nil {
			return fmt.Errorf("elements of %s %s %s: %w", t.Family, t.Name, st.Name, err)
		}
	}
	return nil
}
