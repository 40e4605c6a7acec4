//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// readXFRM reads the IPsec policies of the namespace of the thread.
func (s *Scan) readXFRM() *snapshot.XFRM {
	x, err := s.policies()
	switch {
	case err == nil:
		x.State = snapshot.Present
	case errors.Is(err, unix.EPROTONOSUPPORT):
		return &snapshot.XFRM{State: snapshot.Absent}
	case denied(err):
		return &snapshot.XFRM{State: snapshot.Denied, Reason: err.Error()}
	default:
		return &snapshot.XFRM{State: snapshot.Error, Reason: err.Error()}
	}
	slices.SortStableFunc(x.Policies, func(a, b snapshot.XFRMPolicy) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Index, b.Index))
	})
	return x
}

func (s *Scan) policies() (*snapshot.XFRM, error) {
	conn, err := s.Host.Questions(unix.NETLINK_XFRM)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	x := new(snapshot.XFRM)
	if _, err := conn.Send(wire.ListPolicies()); err != nil {
		return nil, fmt.Errorf("list IPsec policies: %w", err)
	}
	for m, err := range conn.ReceiveIter() {
		if err != nil {
			return nil, fmt.Errorf("list IPsec policies: %w", err)
		}
		p, ok, err := wire.ParsePolicy(m.Data)
		if err != nil {
			return nil, err
		}
		if ok {
			x.Policies = append(x.Policies, p)
		}
	}
	list, err := conn.Execute(wire.GetPolicyDefault())
	switch {
	case errors.Is(err, unix.EINVAL): // before Linux 5.15 what no policy matches passes
		return x, nil
	case err != nil:
		return nil, fmt.Errorf("default IPsec policy: %w", err)
	}
	for _, m := range list {
		if m.Header.Type != netlink.Error {
			if x.Blocked, err = wire.ParsePolicyDefault(m); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}
