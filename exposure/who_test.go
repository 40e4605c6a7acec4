package exposure

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWhoIsMeant: processes of the host are asked about by their own ids. What nobody is meant by, and what is not known of them, is an error and
// never a question about others.
func TestWhoIsMeant(t *testing.T) {
	s := host()
	const theirs = 77
	own := s.Network.HostNetns()
	s.Processes.List = []snapshot.Process{
		{PID: 10, UID: 1000, GID: 100, Unit: "agent.service", Cgroup: "/system.slice/agent.service", NS: snapshot.NS{Net: own}, CapEff: "0"},
		{PID: 11, UID: 1000, GID: 101, Cgroup: "/system.slice/agent.service/x", NS: snapshot.NS{Net: own}, CapEff: "0"},
		{PID: 12, UID: 0, GID: 0, Cgroup: "/system.slice/agents", NS: snapshot.NS{Net: own}, CapEff: "0"},
		{PID: 13, UID: 1001, GID: 1001, NS: snapshot.NS{Net: theirs}, CapEff: "0"},
	}
	m := mapped(s)
	n := func(i int) *int { return &i }
	anybody := packet.Sender{UID: 1 << 31}
	for name, c := range map[string]struct {
		w    Words
		want []packet.Sender
		err  string
	}{
		"a user, with the groups that it has": {Words{From: "host", By: Who{UID: n(1000)}}, []packet.Sender{{UID: 1000, GID: 100}, {UID: 1000, GID: 101}}, ""},
		"with a source":                       {Words{From: "host", Src: prefixes("10.0.0.0/8"), By: Who{PID: n(10)}}, []packet.Sender{{UID: 1000, GID: 100}}, ""},
		"a unit":                              {Words{From: "host", By: Who{Unit: "agent.service"}}, []packet.Sender{{UID: 1000, GID: 100}}, ""},
		"a cgroup and below":                  {Words{From: "host", By: Who{Cgroup: "/system.slice/agent.service/"}}, []packet.Sender{{UID: 1000, GID: 100}, {UID: 1000, GID: 101}}, ""},
		"who can be anybody":                  {Words{From: "host", By: Who{PID: n(12)}}, []packet.Sender{{}, anybody}, ""},
		"as root":                             {Words{From: "host", By: Who{UID: n(0)}}, []packet.Sender{{}}, ""},
		"nobody":                              {Words{From: "host", By: Who{UID: n(1000), PID: n(12)}}, nil, "no process"},
		"in another namespace":                {Words{From: "host", By: Who{PID: n(13)}}, nil, "no process in the host's network namespace"},
		"by an interface":                     {Words{From: "iface:ext0", By: Who{UID: n(1000)}}, nil, "by no process of the host"},
		"a zone without processes":            {Words{From: "external", By: Who{UID: n(1000)}}, nil, "no process of the host is in that zone"},
		"a user without a process":            {Words{From: "host", By: Who{UID: n(5)}}, []packet.Sender{{UID: 5, GID: 5}}, ""},
	} {
		c.w.To, c.w.Proto = "workload", "tcp"
		q, err := c.w.Question(s, m)
		var got []packet.Sender
		if err == nil {
			for _, o := range q.From {
				if got = append(got, anybody); o.By != nil {
					got[len(got)-1] = *o.By
				}
			}
		}
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	s.NFTables.Ruleset = &ruleset.Ruleset{Tables: []ruleset.Table{{Chains: []ruleset.Chain{{Rules: []ruleset.Rule{{Exprs: []ruleset.Expr{
		{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaSkgid}},
	}}}}}}}}
	w := Words{From: "host", To: "workload", Proto: "tcp", By: Who{UID: n(5)}}
	if _, err := w.Question(s, m); err == nil || !strings.Contains(err.Error(), "rules ask for its group") {
		t.Errorf("a group that is not known: %v", err)
	}
}
