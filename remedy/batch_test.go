//go:build linux && !ringfence_portable

package remedy

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/e2e/bed"
)

func tables(t *testing.T) []string {
	conn, err := nftables.New()
	if err != nil {
		t.Error(err)
		return nil
	}
	list, err := conn.ListTables()
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, x := range list {
		names = append(names, x.Name)
	}
	return names
}

// TestTransactionsAreWholeOrNothing: what the kernel refuses, what is only tried out and what comes for another
// generation leaves everything as it was.
func TestTransactionsAreWholeOrNothing(t *testing.T) {
	plan := &Plan{Mode: Targeted, Rules: []Rule{{Chain: chainIn, Iif: "eth0", Proto: "tcp", Port: 2375}}}
	bad := func(conn *nftables.Conn) error {
		table := &nftables.Table{Name: "other", Family: nftables.TableFamilyINet}
		conn.AddTable(table)
		conn.AddRule(&nftables.Rule{
			Table: table, Chain: &nftables.Chain{Name: "nowhere", Table: table}, Exprs: []expr.Any{&expr.Counter{}},
		})
		return nil
	}
	bed.InEmptyNetns(t, func() {
		if err := tryOut(trialOf(plan, time.Minute)); err != nil || len(tables(t)) > 0 {
			t.Errorf("tried out: %v, tables %v", err, tables(t))
		}
		if err := tryOut(bad); !errors.Is(err, unix.ENOENT) {
			t.Errorf("a bad transaction is tried out: %v", err)
		}
		if err := commit(0, lastingOf(plan), bad); !errors.Is(err, unix.ENOENT) || len(tables(t)) > 0 {
			t.Errorf("refused in part: %v, tables %v", err, tables(t))
		}
		if err := commit(4_000_000, lastingOf(plan)); !errors.Is(err, ErrChanged) || len(tables(t)) > 0 {
			t.Errorf("for another generation: %v, tables %v", err, tables(t))
		}
		if err := commit(0, trialOf(plan, time.Minute)); err != nil {
			t.Error(err)
		}
		if err := commit(0, lastingOf(plan), dropTables(trialTable)); err != nil || !slices.Equal(tables(t), []string{Table}) {
			t.Errorf("promoted: %v, tables %v", err, tables(t))
		}
		if err := Remove(); err != nil || len(tables(t)) > 0 {
			t.Errorf("removed: %v, tables %v", err, tables(t))
		}
		if err := Remove(); err != nil {
			t.Errorf("removed twice: %v", err)
		}
	})
}

// TestWithdrawWhereItIsRefused: a table that another process owns cannot be deleted, and that is said.
func TestWithdrawWhereItIsRefused(t *testing.T) {
	bed.InEmptyNetns(t, func() {
		owner, err := nftables.New(nftables.AsLasting())
		if err != nil {
			t.Error(err)
			return
		}
		owner.AddTable(&nftables.Table{Name: trialTable, Family: nftables.TableFamilyINet, Flags: nftables.TableFlagOwner})
		if err := owner.Flush(); err != nil {
			t.Error(err)
		}
		if err := Withdraw(); !errors.Is(err, unix.EPERM) {
			t.Errorf("withdrawn from its owner: %v", err)
		}
		if err := owner.CloseLasting(); err != nil {
			t.Error(err)
		}
		if err := Withdraw(); err != nil || len(tables(t)) > 0 {
			t.Errorf("%v, tables %v", err, tables(t))
		}
	})
}
