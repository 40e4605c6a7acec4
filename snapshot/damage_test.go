package snapshot_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
)

// TestLoadRefusesDamage: what the format does not allow, or no host can have, is refused, and the error names the place.
// Each change is made to text that is read without it.
func TestLoadRefusesDamage(t *testing.T) {
	base := string(fixtures.HostJSON)
	for _, c := range []struct{ what, old, new, want string }{
		{"a second key in another case", `"redacted": 0,`, `"redacted": 0, "PROCESSES": {"list": []},`, `unknown field "PROCESSES"`},
		{"a second key", `"redacted": 0,`, `"redacted": 0, "redacted": 1,`, `"redacted" is there twice`},
		{"a second key, escaped", `"redacted": 0,`, `"redacted": 0, "re\u0064acted": 1,`, `"redacted" is there twice`},
		{"a second key of a map", `"net/ipv4/conf/all/rp_filter": {`, `"net/ipv4/conf/all/accept_local": {`, `network.sysctls: "net/ipv4/conf/all/accept_local" is there twice`},
		{"no key", `   "index": 3,`, ``, `network.links[2]: "index" is missing`},
		{"another type", `"index": 3,`, `"index": "3",`, `network.links[2].index: not an integer`},
		{"a fraction", `"index": 3,`, `"index": 3.5,`, `network.links[2].index: "3.5" is not an integer`},
		{"a number too large", `"index": 3,`, `"index": 99999999999999999999,`, `network.links[2].index: `},
		{"null", `"up": true,`, `"up": null,`, `network.links[0].up: null instead of true or false`},
		{"an index twice", `"index": 3,`, `"index": 2,`, `network.links[2].index: 2 is not above 0, or is there twice`},
		{"a name twice", `"name": "ext0"`, `"name": "lo"`, `network.links[2].name: empty, or there twice`},
		{"no address", `"203.0.113.1/24"`, `"203.0.113/24"`, `network.links[2].addrs[0]: `},
		{"no prefix", `"dst": "10.10.0.0/24"`, `"dst": "::/0"`, `network.routes[1].dst: `},
		{"a type of route", `"type": "unicast"`, `"type": "unicasts"`, `network.routes[0].type: "unicasts" is none of`},
		{"a status", `"status": "ok"`, `"status": "Denied"`, `coverage[0].status: "Denied" is none of`},
		{"no status", `"status": "ok"`, `"status": ""`, `coverage[0].status: "" is none of`},
		{"a status that cannot be", `"status": "ok"`, `"status": "absent"`, `coverage[0].status: absent`},
		{"a collector twice", `"collector": "agents"`, `"collector": "ssh"`, `ssh is there twice`},
		{"a collector that there is not", `"collector": "agents"`, `"collector": "agent"`, `coverage[0].collector: "agent" is none of`},
		{"the state of a fact", `"state": "present"`, `"state": "ok"`, `.state: "ok" is none of`},
		{"a fact that contradicts itself", `"state": "present"`, `"state": "absent"`, `absent, with a value`},
		{"the end is missing", base[len(base)/2:], ``, `unexpected end of JSON input`},
		{"no UTF-8", `"name": "ext0"`, "\"name\": \"ext\xff\"", `not UTF-8`},
	} {
		text := strings.Replace(base, c.old, c.new, 1)
		if text == base {
			t.Fatalf("%s: nothing was changed", c.what)
		}
		_, err := snapshot.Load(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "read snapshot: ") {
			t.Errorf("%s: %v, want %s", c.what, err, c.want)
		}
	}
}

// TestLoadRefusesEmptySections: a section that was seen holds what every host has, one that was not need not.
func TestLoadRefusesEmptySections(t *testing.T) {
	for what, c := range map[string]struct {
		section string
		change  func(*snapshot.Snapshot)
	}{
		"processes.list":                         {"processes", func(s *snapshot.Snapshot) { s.Processes.List = nil }},
		"network.links":                          {"network", func(s *snapshot.Snapshot) { s.Network.Links = nil }},
		"network.rules":                          {"network", func(s *snapshot.Snapshot) { s.Network.Rules = nil }},
		"network.sysctls":                        {"network", func(s *snapshot.Snapshot) { s.Network.Sysctls = nil }},
		"network.namespaces":                     {"network", func(s *snapshot.Snapshot) { s.Network.Namespaces = nil }},
		"listeners.families":                     {"listeners", func(s *snapshot.Snapshot) { s.Listeners = snapshot.Listeners{} }},
		"agents.dataDate":                        {"agents", func(s *snapshot.Snapshot) { s.Agents.DataDate = "" }},
		"kernel.facts":                           {"kernel", func(s *snapshot.Snapshot) { s.Kernel.Facts = nil }},
		`kernel.facts: "lockdown" is missing`:    {"kernel", func(s *snapshot.Snapshot) { delete(s.Kernel.Facts, "lockdown") }},
		`nftables.legacy: "iptables" is missing`: {"nftables", func(s *snapshot.Snapshot) { delete(s.NFTables.Legacy, "iptables") }},
		"kernel.sysctls":                         {"kernel", func(s *snapshot.Snapshot) { s.Kernel.Sysctls = nil }},
		"nftables.ruleset":                       {"nftables", func(s *snapshot.Snapshot) { s.NFTables.Ruleset = nil }},
		"nftables.legacy":                        {"nftables", func(s *snapshot.Snapshot) { s.NFTables.Legacy = nil }},
		"ipmi.sysfs.state":                       {"ipmi", func(s *snapshot.Snapshot) { s.IPMI.SysFS = snapshot.Fact{} }},
		"ssh.configs[0].contexts": {"ssh", func(s *snapshot.Snapshot) {
			s.SSH.Configs = []snapshot.SSHConfig{{Path: "/etc/ssh/sshd_config", Source: "files"}}
		}},
	} {
		for _, status := range []snapshot.Status{snapshot.OK, snapshot.Partial, snapshot.Denied, snapshot.Error} {
			s := fixtures.Host()
			c.change(s)
			for i := range s.Coverage {
				if s.Coverage[i].Collector == c.section {
					s.Coverage[i].Status = status
				}
			}
			_, err := again(t, s)
			seen := status == snapshot.OK || status == snapshot.Partial || c.section == "ssh"
			if seen && (err == nil || !strings.Contains(err.Error(), what)) || !seen && err != nil {
				t.Errorf("%s empty, %s is %s: %v", what, c.section, status, err)
			}
		}
	}
}

// again writes a snapshot and reads it.
func again(t *testing.T, s *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return snapshot.Load(&b)
}

// TestIntegrity: what was changed after it was written is refused; white space, the order of keys and escapes are no
// change, and neither is text that is not UTF-8.
func TestIntegrity(t *testing.T) {
	s := fixtures.Host()
	s.Kernel.Vulns = map[string]snapshot.Fact{"\xff": {State: snapshot.Absent}, "\xfe": {State: snapshot.Absent}}
	s.Processes.List[0].Comm = "a\xff\ufffd\\ufffd<&>\u2028"
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	read, err := snapshot.Load(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	delete(s.Kernel.Vulns, "\xff") // both became one
	before, _ := s.Digest()
	after, _ := read.Digest()
	if before != after || read.Integrity == nil || read.Integrity.Digest != before {
		t.Errorf("the digest was %s, is %s, says %v", before, after, read.Integrity)
	}
	var loose any
	if err := json.Unmarshal(b.Bytes(), &loose); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(loose)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Load(bytes.NewReader(sorted)); err != nil {
		t.Errorf("in another order: %v", err)
	}
	changed := strings.Replace(b.String(), `"name": "ext0"`, `"name": "ext1"`, 1)
	if _, err := snapshot.Load(strings.NewReader(changed)); !errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("with another name: %v", err)
	}
}

// TestLoadBoundsMemory: nothing is built from a list of empty values, or from one that is nothing but lists.
func TestLoadBoundsMemory(t *testing.T) {
	for what, text := range map[string]string{
		"processes": `{"schema":"ringfence.snapshot/v1","processes":{"lastCap":1,"list":[` + strings.Repeat(`{},`, 1_000_000) + `{}]}}`,
		"nothing of a set's element": `{"schema":"ringfence.snapshot/v1","nftables":{"ruleset":{"tables":[{"sets":[{"elements":[` +
			strings.Repeat(`{},`, 1_000_000) + `{}]}]}]}}}`,
		"lists inside each other": `{"schema":` + strings.Repeat(`[`, 5000),
		"expressions inside each other": `{"schema":"ringfence.snapshot/v1","nftables":{"ruleset":{"tables":[{"chains":[{"rules":[{"exprs":[` +
			strings.Repeat(`{"extra":{"dynset":{"exprs":[`, 3000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := snapshot.Load(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read", what)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 10*uint64(len(text))+1<<20 {
			t.Errorf("%s: %d bytes of memory for %d of a file", what, used, len(text))
		}
	}
}

// TestLoadTellsWhatToDo: a snapshot with more sockets than are judged, as older versions wrote, says how to get one that is.
func TestLoadTellsWhatToDo(t *testing.T) {
	text := `{"schema":"` + snapshot.Schema + `","windows":{"listeners":{"list":[` + strings.Repeat(`{"proto":"tcp","family":4,"addr":"0.0.0.0","port":1,"pid":1,"ownerState":"seen"},`, 100_000) + `{}]}}}`
	_, err := snapshot.Load(strings.NewReader(text))
	if !errors.Is(err, snapshot.ErrTooManyValues) || !strings.Contains(err.Error(), "windows.listeners.list[100000]") || !strings.Contains(err.Error(), "collect the host again") {
		t.Error(err)
	}
}

// TestLoadNamespaceWithoutFilter: the switches and filter of a namespace into which nothing comes are not read, all others are.
func TestLoadNamespaceWithoutFilter(t *testing.T) {
	s := fixtures.Host()
	e := snapshot.Elsewhere{Netns: 4026539999, Status: snapshot.OK}
	e.Network.Links = []snapshot.Link{{Index: 1, Name: "lo", Kind: "device", Loopback: true}}
	s.Namespaces = []snapshot.Elsewhere{e}
	if _, err := again(t, s); err != nil {
		t.Error(err)
	}
	s.Namespaces[0].Network.Links = append(slices.Clone(e.Network.Links), snapshot.Link{Index: 2, Name: "eth0", Kind: "veth", Up: true})
	if _, err := again(t, s); err == nil || !strings.Contains(err.Error(), `namespaces[0].network.sysctls: empty`) {
		t.Errorf("with a link: %v", err)
	}
	s.Namespaces[0].Network.Sysctls = s.Network.Sysctls
	if _, err := again(t, s); err == nil || !strings.Contains(err.Error(), `namespaces[0].nftables.legacy: "iptables" is missing`) {
		t.Errorf("with a link: %v", err)
	}
}
