//go:build linux && !ringfence_portable

package replica

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/ruleset"
)

// nameSize is the size of the name in the data of the match (NFACCT_NAME_MAX).
const nameSize = 32

// accounts makes the counters that rules of iptables name (match nfacct): such a rule is refused without its counter.
func (r *Replica) accounts() error {
	made := map[string]bool{}
	for i := range r.host.Ruleset {
		m := &r.host.Ruleset[i]
		if m.Kind != unix.NFT_MSG_NEWRULE {
			continue
		}
		_, _, rule, err := ruleset.DecodeRule(m.Data)
		if err != nil {
			return err
		}
		for _, e := range rule.Exprs {
			if e.Xt == nil || e.Xt.Name != "nfacct" || len(e.Xt.Info) < nameSize {
				continue
			}
			name := wire.CString(e.Xt.Info[:nameSize])
			if made[name] {
				continue
			}
			made[name] = true
			if err := makeAccount(name); err != nil {
				return fmt.Errorf("make counter %q: %w", name, err)
			}
		}
	}
	return nil
}

func makeAccount(name string) error {
	conn, err := host.Local().Netlink(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Execute(wire.NewAccount(name))
	return err
}
