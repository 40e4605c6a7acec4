package finding_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// running adds a privileged container without a name, of an id that begins so, that listens on a port in a network namespace of its own behind docker0.
func running(s *snapshot.Snapshot, digit, image string, pid int) {
	id := strings.Repeat(digit, 64)
	docker := s.Network.Links[slices.IndexFunc(s.Network.Links, func(l snapshot.Link) bool { return l.Name == "docker0" })]
	netns := uint64(5_000_000 + pid)
	s.Network.Links = append(s.Network.Links, snapshot.Link{Index: 1000 + pid, Name: "veth" + digit, Kind: "veth", Up: true, Master: docker.Index, PeerNetns: netns})
	p := s.Processes.List[0]
	p.PID, p.Comm, p.Container, p.Runtime, p.Unit = pid, "nginx", id, "docker", ""
	p.Cgroup = "/docker/" + id
	p.NS.Net, p.NS.PID, p.NS.Mnt = netns, netns+1, netns+2
	p.CapPrm, p.CapEff, p.CapBnd = "000001ffffffffff", "000001ffffffffff", "000001ffffffffff"
	s.Processes.List = append(s.Processes.List, p)
	s.Runtimes.Containers = append(s.Runtimes.Containers, snapshot.Container{
		ID: id, Image: image, Runtime: "docker", Running: true, PID: pid, Privileged: true, AllDevices: true, Spec: "/run/x/" + id + "/config.json",
	})
	s.Index()
}

// TestContainerMadeAgain: containers without a name that were made again are known by image, command and network, and each stands for one. Another image
// is another container, and one more is new.
func TestContainerMadeAgain(t *testing.T) {
	scene := func(list ...[2]string) *finding.Report {
		return judged(t, func(s *snapshot.Snapshot) {
			for i, c := range list {
				running(s, c[0], c[1], 700+i)
			}
		})
	}
	classes := func(before, after *finding.Report) []string {
		lines, _ := told(t, before, after)
		var got []string
		for _, l := range lines {
			if class, _, _ := strings.Cut(l, "|"); !slices.Contains(got, class) {
				got = append(got, class)
			}
		}
		return got
	}
	one := scene([2]string{"a", "nginx:1"})
	if n := len(one.Containers); n != 1 || one.Containers[0].Network == "" || one.Containers[0].Command != "nginx" || one.Containers[0].Name != "aaaaaaaaaaaa" {
		t.Fatalf("%+v", one.Containers)
	}
	if lines, d := told(t, one, scene([2]string{"b", "nginx:1"})); len(lines) != 0 || d.Unchanged < 2 {
		t.Errorf("made again: %q, %d unchanged", lines, d.Unchanged)
	}
	if lines, _ := told(t, scene([2]string{"a", "nginx:1"}, [2]string{"c", "nginx:1"}), scene([2]string{"d", "nginx:1"}, [2]string{"b", "nginx:1"})); len(lines) != 0 {
		t.Errorf("two made again: %q", lines)
	}
	if got := classes(one, scene([2]string{"b", "nginx:2"})); !slices.Equal(got, []string{finding.New, finding.CoverageWorse, finding.Fixed}) {
		t.Errorf("of another image: %q", got)
	}
	if got := classes(one, scene([2]string{"b", "nginx:1"}, [2]string{"c", "nginx:1"})); !slices.Equal(got, []string{finding.New, finding.CoverageWorse}) {
		t.Errorf("one more: %q", got)
	}
	if got := classes(scene([2]string{"a", ""}), scene([2]string{"b", ""})); !slices.Equal(got, []string{finding.New, finding.CoverageWorse, finding.Fixed}) {
		t.Errorf("of no image that is known: %q", got)
	}
}

// TestCarry: findings of checks that became unknown, or that are about something that was not seen, are carried on for as long as it is not known
// whether they are gone, and no longer.
func TestCarry(t *testing.T) {
	f := finding.Finding{Resource: finding.Resource{Kind: "k", Key: "x"}, Severity: "high", Fingerprint: "abc1", Message: "m"}
	g := finding.Finding{Resource: finding.Resource{Kind: "k", Key: "y"}, Severity: "high", Fingerprint: "abc2", Message: "m"}
	of := func(status string, list ...finding.Finding) *finding.Report {
		r := small(f)
		r.Results[0].Status, r.Results[0].Findings = status, list
		return r
	}
	carried := func(before, after *finding.Report) (prints []string) {
		finding.Carry(before, after)
		for _, c := range after.Carried {
			prints = append(prints, c.Check+" "+c.Finding.Fingerprint)
		}
		return prints
	}
	failed, unknown := of(finding.Fail, f, g), of(finding.Unknown)
	want := []string{"a/b abc1", "a/b abc2"}
	if got := carried(failed, unknown); !slices.Equal(got, want) {
		t.Errorf("unknown: %q", got)
	}
	again := of(finding.Unknown)
	if got := carried(unknown, again); !slices.Equal(got, want) {
		t.Errorf("still unknown: %q", got)
	}
	if got := carried(again, of(finding.Fail, f)); len(got) != 0 {
		t.Errorf("one is left: %q", got)
	}
	if got := carried(again, of(finding.Pass)); len(got) != 0 {
		t.Errorf("passed: %q", got)
	}
	half := of(finding.Fail, g)
	half.Results[0].Unknowns = []finding.Unclear{{Resource: f.Resource, Reason: "not read"}}
	if got := carried(failed, half); !slices.Equal(got, want[:1]) {
		t.Errorf("one is not decided: %q", got)
	}
	accepted := f
	accepted.Waiver = &finding.Waiver{Reason: "r", Expires: "2027-01-01"}
	if got := carried(of(finding.Fail, accepted), of(finding.Unknown)); len(got) != 0 {
		t.Errorf("it was accepted: %q", got)
	}
	other := of(finding.Unknown)
	other.Host.ID = "other"
	if got := carried(failed, other); len(got) != 0 {
		t.Errorf("of another host: %q", got)
	}
}
