package judge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/packet"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// patched is the snapshot of a situation: a merge patch (RFC 7386) on the base.
func patched(t *testing.T, base, patch []byte) *snapshot.Snapshot {
	t.Helper()
	var b, p any
	if err := json.Unmarshal(base, &b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(patch, &p); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(mergePatch(b, p))
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mergePatch(base, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out := map[string]any{}
	if b, ok := base.(map[string]any); ok {
		maps.Copy(out, b)
	}
	for k, v := range p {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = mergePatch(out[k], v)
		}
	}
	return out
}

// situations are the snapshots of all fixtures, and some of many namespaces.
func situations(t *testing.T) map[string]*snapshot.Snapshot {
	t.Helper()
	files, err := filepath.Glob("../fixtures/*/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	all := map[string]*snapshot.Snapshot{"base": fixtures.Host(), "networks": fixtures.Networks(3, 2)}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasSuffix(f.Name, ".json") && filepath.Base(filepath.Dir(file)) != "windows" {
				all[filepath.Base(file)+" "+f.Name] = patched(t, fixtures.HostJSON, f.Data)
			}
		}
	}
	recorded, err := filepath.Glob("../fixtures/recorded/*.json")
	if err != nil || len(recorded) == 0 {
		t.Fatalf("%d recorded hosts: %v", len(recorded), err)
	}
	for _, file := range recorded {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := snapshot.Load(bytes.NewReader(text)); err == nil {
			all[filepath.Base(file)] = s
		} else {
			all[filepath.Base(file)] = patched(t, fixtures.HostJSON, text)
		}
	}
	s := fixtures.Host()
	behind(s, 7001, -1, nil, 80, 22, 8000)
	behind(s, 7002, 1001, forks(3), 80, 22)
	behind(s, 7003, 1002, nil, 8001)
	s.Namespaces[2].Status = snapshot.Denied
	s.Listeners.Sockets = append(s.Listeners.Sockets, snapshot.Socket{
		Proto: "tcp", Family: 6, Addr: "::", Port: 3000, Netns: s.Network.HostNetns(),
		Relay: &snapshot.Relay{Program: "docker-proxy", Addr: "172.17.1.8", Port: 80},
	}, snapshot.Socket{Proto: "tcp", Family: 4, Addr: "0.0.0.0", Port: 22, Netns: 7999})
	all["namespaces"] = s
	return all
}

// TestExposuresAreWhatPoliciesSee: in every situation each exposure of the report is one of a service that the policies see, with the
// verdict that its zone has there; no service is without, and what is claimed was checked.
func TestExposuresAreWhatPoliciesSee(t *testing.T) {
	verdicts := map[packet.Verdict]int{}
	for name, s := range situations(t) {
		b := build(t.Context(), s, zones.Config{})
		list := slices.Concat(b.exposures...)
		for i := range list {
			e := &list[i]
			v := packet.Verdict(e.Verdict)
			verdicts[v]++
			if claimed := v == packet.Reachable || v == packet.Unreachable; claimed != e.Checked {
				t.Errorf("%s: %s %d from %s: %s, checked %v", name, e.Service.Proto, e.Service.Port, e.Zone, v, e.Checked)
			}
			if v == packet.Reachable && e.Witness == "" || v == packet.Unreachable && len(e.StoppedBy) == 0 || v == packet.Unknown && len(e.Because) == 0 {
				t.Errorf("%s: %+v gives no reason", name, e)
			}
		}
		for _, miss := range missing(b.doc.Services, list) {
			t.Errorf("%s: %s", name, miss)
		}
		want := 0
		for i := range s.Listeners.Sockets {
			if sk := &s.Listeners.Sockets[i]; b.byService[i] != nil && b.exposures[i] != nil {
				want += len(exposure.Families(sk)) * len(b.zones.Origins)
			}
		}
		if len(list) != want {
			t.Errorf("%s: %d exposures, want %d", name, len(list), want)
		}
	}
	for _, v := range []packet.Verdict{packet.Reachable, packet.Unreachable, packet.Unknown} {
		if verdicts[v] == 0 {
			t.Errorf("no situation has one that is %s", v)
		}
	}
}

// missing compares the worst verdict of each service and zone, as policies see it, with that of the exposures.
func missing(services []DocService, list []finding.Exposure) (out []string) {
	seen, told := map[string]packet.Verdict{}, map[string]packet.Verdict{}
	worst := func(m map[string]packet.Verdict, k string, v packet.Verdict) {
		if verdictRank[v] > verdictRank[m[k]] {
			m[k] = v
		}
	}
	for i := range services {
		svc := &services[i]
		for zone, r := range svc.Reach {
			worst(seen, fmt.Sprint(svc.Proto, svc.Addr, svc.Port, svc.Device, svc.Owner, cmp.Or(svc.Namespace, "host"), zone), r.Verdict)
		}
	}
	for i := range list {
		e := &list[i]
		v := &e.Service
		worst(told, fmt.Sprint(v.Proto, v.Address, v.Port, v.Device, v.Owner, v.Namespace, e.Zone), packet.Verdict(e.Verdict))
	}
	for k, v := range told {
		if seen[k] != v {
			out = append(out, fmt.Sprintf("%s is %s, and policies see %q", k, v, seen[k]))
		}
	}
	for k, v := range seen {
		if told[k] != v {
			out = append(out, fmt.Sprintf("policies see %s as %s, and the exposures tell %q", k, v, told[k]))
		}
	}
	return out
}

// TestALostExposureIsFound: the comparison finds an exposure that no service has, and one that is told better than it is seen.
func TestALostExposureIsFound(t *testing.T) {
	b := build(t.Context(), fixtures.Host(), zones.Config{})
	list := slices.Concat(b.exposures...)
	if got := missing(b.doc.Services, list); len(got) > 0 || len(list) == 0 {
		t.Fatalf("%d exposures: %v", len(list), got)
	}
	if got := missing(nil, list); len(got) == 0 {
		t.Error("exposures of no service are not found")
	}
	list[0].Verdict = string(packet.Unknown)
	if got := missing(b.doc.Services, list); len(got) == 0 {
		t.Error("another verdict is not found")
	}
	if got := missing(b.doc.Services, nil); len(got) == 0 {
		t.Error("services without exposures are not found")
	}
}

// TestServicesHaveTheKeysOfTheirFindings: which exposures a finding is about is told by the key of its resource.
func TestServicesHaveTheKeysOfTheirFindings(t *testing.T) {
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	s := fixtures.Host()
	s.NFTables.Ruleset.Tables = nil
	r, err := Judge(t.Context(), s, p, new(Config), "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for id, f := range r.Counting() {
		if f.Resource.Kind == "service" {
			n++
			if len(r.Owners(f)) == 0 {
				t.Errorf("%s: no exposure has the key %q", id, f.Resource.Key)
			}
		}
	}
	if n == 0 {
		t.Error("no finding is about a service")
	}
}
