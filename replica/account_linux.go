//go:build linux && !ringfence_portable

package replica

import (
	"bytes"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
)

// Constants of include/uapi/linux/netfilter/nfnetlink_acct.h.
const (
	acctNew  = 0
	acctName = 1
	nameSize = 32
)

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
			name, _, _ := bytes.Cut(e.Xt.Info[:nameSize], []byte{0})
			if made[string(name)] {
				continue
			}
			made[string(name)] = true
			if err := makeAccount(name); err != nil {
				return fmt.Errorf("make counter %q: %w", name, err)
			}
		}
	}
	return nil
}

func makeAccount(name []byte) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: acctName, Data: append(name, 0)}})
	if err != nil {
		return err
	}
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type: unix.NFNL_SUBSYS_ACCT<<8 | acctNew, Flags: netlink.Request | netlink.Create | netlink.Acknowledge,
		},
		Data: append([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0}, attrs...),
	})
	return err
}
