//go:build linux && !ringfence_portable

package checks

import (
	"strings"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// queues reads on which queues programs listen for the packets that rules hand to them, in the namespace of the thread (seq_show of
// net/netfilter/nfnetlink_queue.c: the number of the queue comes first). A kernel without the file queues nothing.
func (s *Scan) queues(rs *ruleset.Ruleset) *snapshot.Fact {
	if !rs.Queues() {
		return nil
	}
	f := s.fact("/proc/thread-self/net/netfilter/nfnetlink_queue")
	var numbers []string
	for line := range strings.Lines(f.Value) {
		if fields := strings.Fields(line); len(fields) > 0 {
			numbers = append(numbers, fields[0])
		}
	}
	f.Value = strings.Join(numbers, " ")
	return &f
}
