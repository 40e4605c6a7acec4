//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// DumpRuleset reads the ruleset as the kernel tells it, message by message, in an order in which it can be
// loaded again: tables, chains, objects, sets, their elements, rules. It waits for a program that is about to replace them.
func DumpRuleset(ctx context.Context, h *host.Host) ([]ruleset.Message, error) {
	for begin := time.Now(); ; {
		list, err := dumpRuleset(h)
		between := slices.ContainsFunc(list, func(m ruleset.Message) bool { return m.Table() == reloading })
		if err != nil || !between || time.Since(begin) > longestReload || ctx.Err() != nil {
			return list, err
		}
		time.Sleep(restful)
	}
}

func dumpRuleset(h *host.Host) ([]ruleset.Message, error) {
	conn, err := h.Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := &nfReader{conn: conn}
	var list []ruleset.Message
	keep := func(kind int) func(uint8, []byte) error {
		return func(family uint8, b []byte) error {
			list = append(list, ruleset.Message{Kind: kind, Family: family, Data: append([]byte(nil), b...)})
			return nil
		}
	}
	for _, k := range []struct{ get, add int }{
		{unix.NFT_MSG_GETTABLE, unix.NFT_MSG_NEWTABLE},
		{unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_NEWCHAIN},
		{unix.NFT_MSG_GETOBJ, unix.NFT_MSG_NEWOBJ},
		{unix.NFT_MSG_GETFLOWTABLE, unix.NFT_MSG_NEWFLOWTABLE},
		{unix.NFT_MSG_GETSET, unix.NFT_MSG_NEWSET},
	} {
		err := r.dump(all(k.get), keep(k.add))
		if err != nil && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.EINVAL) {
			return nil, fmt.Errorf("dump the ruleset: %w", err)
		}
	}
	for _, m := range list {
		if m.Kind != unix.NFT_MSG_NEWSET {
			continue
		}
		table, set, err := ruleset.DecodeSet(m.Data)
		if err != nil {
			return nil, fmt.Errorf("dump the ruleset: %w", err)
		}
		err = r.dump(wire.ListElements(m.Family, table, set.Name), keep(unix.NFT_MSG_NEWSETELEM))
		if err != nil {
			return nil, fmt.Errorf("dump set %s: %w", set.Name, err)
		}
	}
	if err := r.dump(all(unix.NFT_MSG_GETRULE), keep(unix.NFT_MSG_NEWRULE)); err != nil {
		return nil, fmt.Errorf("dump the rules: %w", err)
	}
	return list, nil
}
