package exposure

import (
	"net/netip"
	"testing"

	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/reach"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// byAddress is a program that lets pass what is allowed or not denied.
func byAddress(deny, allow []netip.Prefix) []snapshot.CgroupProgram {
	return []snapshot.CgroupProgram{{Name: "sd_fw", Addresses: &snapshot.AddressFilter{Deny: deny, Allow: allow}}}
}

// TestAddressesOfCgroups: who gets to a socket is decided by the lists of its cgroup, for single packets as for all, and by whether it can answer.
func TestAddressesOfCgroups(t *testing.T) {
	all, near, far := prefixes("0.0.0.0/0", "::/0"), prefixes("10.0.0.0/24"), prefixes("203.0.113.0/24")
	unknown := []snapshot.CgroupProgram{{Name: "other"}}
	for name, c := range map[string]struct {
		gets, sends []snapshot.CgroupProgram
		proto       string
		from        zones.Origin
		want        packet.Verdict
		why         string
	}{
		"nothing is denied":              {byAddress(nil, nil), nil, "tcp", outside, packet.Reachable, ""},
		"all is denied":                  {byAddress(all, nil), byAddress(all, nil), "tcp", outside, packet.Unreachable, "sd_fw"},
		"all but neighbours":             {byAddress(all, near), byAddress(all, near), "tcp", outside, packet.Unreachable, "sd_fw"},
		"all but neighbours, from there": {byAddress(all, near), byAddress(all, near), "tcp", bridged, packet.Reachable, ""},
		"some are denied":                {byAddress(far, nil), byAddress(far, nil), "tcp", outside, packet.Reachable, ""},
		"allowed again":                  {byAddress(near, near), byAddress(near, near), "tcp", bridged, packet.Reachable, ""},
		"two that both have to let pass": {append(byAddress(all, near), byAddress(near, nil)...), nil, "tcp", bridged, packet.Unreachable, "sd_fw"},
		"no answer passes":               {nil, byAddress(all, nil), "tcp", outside, packet.Unknown, "no answer"},
		"no answer passes, of datagrams": {nil, byAddress(all, nil), "udp", outside, packet.Reachable, ""},
		"one that is not known":          {unknown, nil, "tcp", outside, packet.Unknown, "other"},
		"one behind what is denied":      {append(byAddress(all, nil), unknown...), nil, "tcp", outside, packet.Unreachable, "sd_fw"},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.Listeners.Cgroups = []snapshot.Cgroup{{ID: 7, Gets: c.gets, Sends: c.sends}}
			i := listen(s, hostInode, "0.0.0.0", 22)
			sk := &s.Listeners.Sockets[i]
			sk.Cgroup, sk.Proto, sk.Programs = 7, c.proto, append(snapshot.UnknownPrograms(c.gets), snapshot.UnknownPrograms(c.sends)...)
			want(t, only(t, s, i, c.from, true), c.want, c.why)
		})
	}
}

// TestSocketsThatShareAPort: of those in cgroups with other lists the kernel takes any.
func TestSocketsThatShareAPort(t *testing.T) {
	s := host()
	s.Listeners.Cgroups = []snapshot.Cgroup{{ID: 7, Gets: byAddress(prefixes("0.0.0.0/0"), nil)}, {ID: 8}}
	a, b := listen(s, hostInode, "0.0.0.0", 22), listen(s, hostInode, "0.0.0.0", 22)
	s.Listeners.Sockets[a].Cgroup, s.Listeners.Sockets[b].Cgroup = 7, 8
	for _, i := range []int{a, b} {
		want(t, only(t, s, i, outside, true), packet.Unknown, "share")
	}
}

// TestProgramsThatSteer: where a program is asked where a process sends to, nothing is sure of what that sends.
func TestProgramsThatSteer(t *testing.T) {
	for name, c := range map[string]struct {
		of      snapshot.Cgroup
		by      *packet.Sender
		policy  string
		want    packet.Verdict
		because string
	}{
		"none":                    {snapshot.Cgroup{ID: 7, Path: "/a"}, &packet.Sender{Cgroup: "/a"}, ruleset.Accept, packet.Reachable, ""},
		"steers":                  {snapshot.Cgroup{ID: 7, Path: "/a", Steers: []string{"lb"}}, &packet.Sender{Cgroup: "/a"}, ruleset.Accept, packet.Unknown, "lb"},
		"steers round a drop":     {snapshot.Cgroup{ID: 7, Path: "/a", Steers: []string{"lb"}}, &packet.Sender{Cgroup: "/a"}, ruleset.Drop, packet.Unknown, "lb"},
		"steers others":           {snapshot.Cgroup{ID: 7, Path: "/a", Steers: []string{"lb"}}, nil, ruleset.Accept, packet.Reachable, ""},
		"steers all":              {snapshot.Cgroup{ID: 1, Path: "/", Steers: []string{"lb"}}, nil, ruleset.Accept, packet.Unknown, "lb"},
		"a cgroup nobody saw":     {snapshot.Cgroup{ID: 7, Path: "/a"}, &packet.Sender{Cgroup: "/b"}, ruleset.Accept, packet.Unknown, "/b"},
		"its lists deny":          {snapshot.Cgroup{ID: 7, Path: "/a", Sends: byAddress(prefixes("0.0.0.0/0"), nil)}, &packet.Sender{Cgroup: "/a"}, ruleset.Accept, packet.Unreachable, "sd_fw"},
		"its lists deny, any ids": {snapshot.Cgroup{ID: 7, Path: "/a", Sends: byAddress(prefixes("0.0.0.0/0"), nil)}, &packet.Sender{AnyID: true, Cgroup: "/a"}, ruleset.Accept, packet.Unreachable, "sd_fw"},
		"its lists allow there":   {snapshot.Cgroup{ID: 7, Path: "/a", Sends: byAddress(prefixes("0.0.0.0/0"), prefixes("203.0.113.9/32"))}, &packet.Sender{Cgroup: "/a"}, ruleset.Accept, packet.Reachable, ""},
		"lists of others":         {snapshot.Cgroup{ID: 7, Path: "/a", Sends: byAddress(prefixes("0.0.0.0/0"), nil)}, nil, ruleset.Accept, packet.Reachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := host()
			s.Listeners.Cgroups = []snapshot.Cgroup{c.of}
			s.NFTables.Ruleset = table("output", c.policy)
			from := packet.Origin{Local: true, By: c.by}
			a := ask(t, s, &reach.Question{From: []packet.Origin{from}, Proto: "tcp", Dport: 443, To: toAddr("203.0.113.9")})
			want(t, a, c.want, c.because)
		})
	}
}
