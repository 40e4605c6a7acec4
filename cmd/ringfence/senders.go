package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
)

// senderFlags say which processes of the host send the packets of a question.
type senderFlags struct {
	uid, pid     int
	unit, cgroup string
}

func (f *senderFlags) flags(c *cobra.Command) {
	c.Flags().IntVar(&f.uid, "uid", -1, "with --from host or a zone: what processes of this `user` id send")
	c.Flags().IntVar(&f.pid, "pid", -1, "what the `process` sends")
	c.Flags().StringVar(&f.unit, "unit", "", "what the processes of this systemd `unit` send")
	c.Flags().StringVar(&f.cgroup, "cgroup", "", "what the processes below this cgroup `path` send")
}

// senders are the processes that the flags name, by their ids; none without a flag.
func (f *senderFlags) senders(s *snapshot.Snapshot) ([]packet.Sender, error) {
	if f.uid >= 0 && f.pid < 0 && f.unit == "" && f.cgroup == "" {
		return []packet.Sender{{UID: uint32(f.uid), GID: uint32(f.uid)}}, nil
	}
	if f.pid < 0 && f.unit == "" && f.cgroup == "" {
		return nil, nil
	}
	below := strings.TrimSuffix(f.cgroup, "/")
	var list []packet.Sender
	for i := range s.Processes.List {
		p := &s.Processes.List[i]
		if f.pid >= 0 && p.PID != f.pid || f.unit != "" && p.Unit != f.unit && p.UserUnit != f.unit || f.uid >= 0 && p.UID != f.uid ||
			f.cgroup != "" && p.Cgroup != below && !strings.HasPrefix(p.Cgroup, below+"/") || p.UID < 0 || p.GID < 0 {
			continue
		}
		if by := (packet.Sender{UID: uint32(p.UID), GID: uint32(p.GID)}); !slices.Contains(list, by) {
			list = append(list, by)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no process is meant by --uid, --pid, --unit and --cgroup together")
	}
	return list, nil
}
