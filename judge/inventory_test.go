package judge

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// TestInventory: who and what is on a host is told by the keys that findings and exposures have, with what they have of it.
func TestInventory(t *testing.T) {
	s := contained()
	s.Runtimes.Containers = append(s.Runtimes.Containers, snapshot.Container{ID: "c1", Name: "web", Image: "i:1", Running: true, Runtime: "docker", Word: snapshot.Word{By: snapshot.ByRoot}, Mounts: []snapshot.ContainerMount{
		{Source: "/srv/data", Dest: "/data", RW: true}, {Source: "/var/lib/docker/containers/c1/hosts", Dest: "/etc/hosts"},
	}})
	s.Runtimes.Sockets = append(s.Runtimes.Sockets, snapshot.ControlSocket{
		Runtime: "docker", Path: "/run/docker.sock", Mode: 0o660, Word: snapshot.Word{By: snapshot.ByRoot},
		Mounts: []snapshot.Mount{{PID: 77, Container: "c1", Path: "/run/docker.sock"}},
	})
	s.Runtimes.Containers = append(s.Runtimes.Containers, snapshot.Container{ // as its user says
		ID: "c2", Name: "own", Runtime: "podman", Word: snapshot.Word{By: snapshot.ByUID, UID: 1000}, Mounts: []snapshot.ContainerMount{{Source: "/etc", Dest: "/data", RW: true}},
	})
	s.Runtimes.Sockets = append(s.Runtimes.Sockets, snapshot.ControlSocket{
		Runtime: "libvirt", Path: "/run/libvirt/libvirt-sock", Mode: 0o666, Gated: true, Mounts: []snapshot.Mount{{PID: 77, Container: "c1", Path: "/run/libvirt/libvirt-sock"}},
	})
	inv := build(t.Context(), s, nil).inventory()
	part := func(key string) *finding.Part {
		i := slices.IndexFunc(inv.Parts, func(p finding.Part) bool { return p.Key == key })
		if i < 0 {
			t.Fatalf("no %s in %+v", key, inv.Parts)
		}
		return &inv.Parts[i]
	}
	if p := part("container web"); p.Kind != finding.PartContainer || p.Zone != zones.Workload || p.Detail != "i:1" || !slices.Equal(p.Networks, []string{"docker0"}) {
		t.Errorf("%+v", p)
	}
	if p := part("agent vllm in container web"); p.In != "container web" || p.Zone != zones.Workload || !slices.Equal(p.Auth, []string{finding.AuthNone}) {
		t.Errorf("%+v", p)
	}
	if p := part("daemon docker"); p.Zone != zones.Runtime || p.Kind != finding.PartDaemon {
		t.Errorf("%+v", p)
	}
	listener := slices.IndexFunc(inv.Listeners, func(l finding.Listener) bool { return l.Key == "tcp 0.0.0.0:8080 (python3) in container web" })
	if listener < 0 || inv.Listeners[listener].Part != "agent vllm in container web" || inv.Listeners[listener].Class != "agent" {
		t.Errorf("%+v", inv.Listeners)
	}
	for _, want := range []finding.Use{
		{From: "container web", Kind: finding.UseSocket, To: "daemon docker", Object: "/run/docker.sock", Write: true, Verdict: "yes"},
		{From: "container web", Kind: finding.UseMount, To: "store /srv/data", Object: "/data", Write: true, Verdict: "yes"},
		{From: "container own", Kind: finding.UseMount, To: "store /etc", Object: "/data", Write: true, Verdict: "unknown"},
		{From: "container web", Kind: finding.UseSocket, To: "daemon libvirt", Object: "/run/libvirt/libvirt-sock", Write: true, Verdict: "unknown"},
		{From: "container web", Kind: finding.UsePower, Goal: "root", Verdict: "yes"},
	} {
		if !slices.ContainsFunc(inv.Uses, func(u finding.Use) bool {
			return (u.Verdict == "unknown") == (len(u.Because) > 0) && u.From == want.From && u.Kind == want.Kind && u.To == want.To && u.Goal == want.Goal && u.Object == want.Object && u.Write == want.Write && u.Verdict == want.Verdict
		}) {
			t.Errorf("no %+v in %+v", want, inv.Uses)
		}
	}
	if slices.ContainsFunc(inv.Parts, func(p finding.Part) bool { return p.Key == "store /var/lib/docker/containers/c1/hosts" }) {
		t.Error("a file of the runtime's own counts as one of the host's")
	}
	again, err := json.Marshal(build(t.Context(), s, nil).inventory())
	first, _ := json.Marshal(inv)
	if err != nil || string(again) != string(first) {
		t.Errorf("another order: %v", err)
	}
}
