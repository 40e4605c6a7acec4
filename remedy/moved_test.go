package remedy

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// server owns the sockets of sshd, as sshOn has it.
var server = []snapshot.Owner{{PID: 4, Comm: "sshd"}}

// listens gives a snapshot these TCP sockets alone, as ADDRESS and port.
func listens(s *snapshot.Snapshot, list ...snapshot.Socket) *snapshot.Snapshot {
	clone := *s
	clone.Listeners.Sockets = nil
	for _, k := range list {
		k.Proto, k.OwnerState = "tcp", snapshot.OwnersKernel
		if k.Family == 0 {
			k.Family = 4
		}
		clone.Listeners.Sockets = append(clone.Listeners.Sockets, k)
	}
	return &clone
}

// TestWhatMovedIsAskedAboutWhereItIs: a service that is bound to an address of the host has another one, as after a lease of DHCP, or SSH another port: the
// rules are about the old one, and what is open at the new one is told.
func TestWhatMovedIsAskedAboutWhereItIs(t *testing.T) {
	s := sshOn()
	for name, c := range map[string]struct {
		now  []snapshot.Socket
		want string
	}{
		"as it was":             {[]snapshot.Socket{{Addr: "203.0.113.1", Port: 2375}, {Addr: "0.0.0.0", Port: 22}}, ""},
		"another address":       {[]snapshot.Socket{{Addr: "203.0.113.2", Port: 2375}, {Addr: "0.0.0.0", Port: 22}}, "203.0.113.2:2375"},
		"all addresses":         {[]snapshot.Socket{{Addr: "0.0.0.0", Port: 2375}}, "v4:2375"},
		"all of IPv6":           {[]snapshot.Socket{{Addr: "::", Family: 6, V6Only: true, Port: 2375}}, "v6:2375"},
		"all of both":           {[]snapshot.Socket{{Addr: "::", Family: 6, Port: 2375}}, ":2375"},
		"and where it was":      {[]snapshot.Socket{{Addr: "0.0.0.0", Port: 2375}, {Addr: "203.0.113.1", Port: 2375}}, ""},
		"one more":              {[]snapshot.Socket{{Addr: "203.0.113.1", Port: 2375}, {Addr: "203.0.113.2", Port: 2375}}, ""},
		"one that was kept":     {[]snapshot.Socket{{Addr: "203.0.113.3", Port: 2375}}, ""},
		"loopback":              {[]snapshot.Socket{{Addr: "127.0.0.1", Port: 2375}}, ""},
		"something else":        {[]snapshot.Socket{{Addr: "203.0.113.2", Port: 8080}}, ""},
		"SSH has another port":  {[]snapshot.Socket{{Addr: "203.0.113.1", Port: 2375}, {Addr: "0.0.0.0", Port: 2222, Owners: server}}, "v4:2222"},
		"and one where it was":  {[]snapshot.Socket{{Addr: "203.0.113.1", Port: 2375}, {Addr: "0.0.0.0", Port: 22}, {Addr: "0.0.0.0", Port: 2222, Owners: server}}, ""},
		"nothing listens there": {nil, ""},
	} {
		now := listens(s, c.now...)
		p := &Plan{Mode: Targeted, Keeps: []Flow{
			{Source: prefixes("203.0.113.9/32")[0], Proto: "tcp", Port: 22, Why: keptSession}, {Addr: prefixes("203.0.113.3/32")[0].Addr(), Proto: "tcp", Port: 2375, Why: keptBeside},
		}}
		at, ssh := asked(zones.External, 2375), asked(zones.External, 22)
		docker, login := *at.Results[0].Findings[0].Remediation[0].Deny, *ssh.Results[0].Findings[0].Remediation[0].Deny
		docker.Addr = "203.0.113.1"
		var got []string
		for _, d := range slices.Concat(p.moved(now, &docker), p.moved(now, &login)) {
			family := map[int]string{4: "v4", 6: "v6"}[d.Family]
			got = append(got, d.Addr+family+":"+strconv.Itoa(d.Port))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestSSHOnAPortThatABaselineDrops: who logs in anew is locked out, and nobody said so.
func TestSSHOnAPortThatABaselineDrops(t *testing.T) {
	s := sshOn()
	p := &Plan{Mode: DefaultDeny, Keeps: []Flow{{Proto: "tcp", Port: 22, Why: keptManaging}, {Proto: "tcp", Port: 2200, Why: keptUntil}}}
	for name, c := range map[string]struct {
		now  []snapshot.Socket
		says bool
	}{
		"as it was":    {[]snapshot.Socket{{Addr: "0.0.0.0", Port: 22}}, false},
		"both":         {[]snapshot.Socket{{Addr: "0.0.0.0", Port: 2222, Owners: server}, {Addr: "0.0.0.0", Port: 22}}, false},
		"another port": {[]snapshot.Socket{{Addr: "0.0.0.0", Port: 2222, Owners: server}}, true},
		"one of old":   {[]snapshot.Socket{{Addr: "0.0.0.0", Port: 2200, Owners: server}}, true},
		"no server":    {nil, false},
	} {
		if err := p.locksOut(listens(s, c.now...)); (err != nil) != c.says {
			t.Errorf("%s: %v", name, err)
		}
		now := listens(s, c.now...)
		now.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
		if err := p.StillCloses(t.Context(), now); (err != nil) != c.says {
			t.Errorf("%s, as a whole: %v", name, err)
		}
		targeted := &Plan{Mode: Targeted, Keeps: p.Keeps}
		if err := targeted.locksOut(listens(s, c.now...)); err != nil {
			t.Errorf("without a baseline, %s: %v", name, err)
		}
	}
}

// TestWhoKeepsAccessIsToldThePort: what is said to be asked for lets a baseline be made.
func TestWhoKeepsAccessIsToldThePort(t *testing.T) {
	s, outside := sshOn(2222), zones.Config{zones.External: {Interfaces: []string{"mgmt0", "ext0"}}}
	p := Make(asked(zones.External, 2375), s, outside, Options{Mode: DefaultDeny})
	if !strings.HasSuffix(p.NoBaseline(), "--keep tcp/2222@ADDRESS") {
		t.Fatalf("%q", p.NoBaseline())
	}
	opt, err := ParseOptions(nil, []string{"tcp/2222@192.0.2.7"})
	if opt.Mode = DefaultDeny; err != nil || Make(asked(zones.External, 2375), s, outside, opt).Mode != DefaultDeny {
		t.Errorf("what is said makes no baseline: %v", err)
	}
	if p := Make(asked(zones.External, 2375), sshOn(), outside, Options{Mode: DefaultDeny}); !strings.HasSuffix(p.NoBaseline(), "--keep tcp/22@ADDRESS") {
		t.Errorf("no server is seen: %q", p.NoBaseline())
	}
}
