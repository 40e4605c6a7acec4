package judge

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/assume"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// loadedOnce is the built-in policies, which are compiled once for all tests of this file.
var loadedOnce = sync.OnceValues(func() (*Policies, error) { return Load() })

// held judges a host and holds claims against it: a register of one assumption, x.
func held(t *testing.T, s *snapshot.Snapshot, holds string, modules ...Module) (finding.Assumption, *finding.Report) {
	t.Helper()
	p, err := loadedOnce()
	if len(modules) > 0 {
		p, err = Load(modules...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return heldBy(t, p, s, holds)
}

func heldBy(t *testing.T, p *Policies, s *snapshot.Snapshot, holds string) (finding.Assumption, *finding.Report) {
	t.Helper()
	reg, err := assume.Parse("f", fmt.Appendf(nil, "version: 1\nassumptions:\n- id: x\n  statement: It is so.\n  if_false: [threat]\n  holds: %s\n", holds), p.Known())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Judge(t.Context(), s, p, &Config{Register: reg, Now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}, "0")
	if err != nil {
		t.Fatal(err)
	}
	return r.Assumptions[0], r
}

// opened is the host with a rule before the others of its input chain that lets a port pass.
func opened(s *snapshot.Snapshot) *snapshot.Snapshot {
	chain := &s.NFTables.Ruleset.Tables[0].Chains[0]
	chain.Base.Policy = ruleset.Accept
	return s
}

// status sets the state in which a section was seen.
func status(s *snapshot.Snapshot, section string, to snapshot.Status) *snapshot.Snapshot {
	for i := range s.Coverage {
		if s.Coverage[i].Collector == section {
			s.Coverage[i].Status, s.Coverage[i].Reasons = to, []string{"not permitted"}
		}
	}
	return s
}

// TestQuestionsOfAssumptions: each kind of claim has three answers, and what was not seen confirms nothing.
func TestQuestionsOfAssumptions(t *testing.T) {
	ssh := func(answer string) string {
		return "{reach: {from: 'zone:workload', to: 'port:22/tcp', answer: " + answer + "}}"
	}
	services := "{reach: {from: 'zone:workload', to: services, answer: unreachable}}"
	filter := "{path: {from: any, to: filter@host, answer: none}}"
	for _, c := range []struct {
		name, holds string
		host        *snapshot.Snapshot
		want, part  string // of what is told
	}{
		{"closed", ssh("unreachable"), fixtures.Host(), "confirmed", "proof sha256:"},
		{"closed, meant open", ssh("reachable"), fixtures.Host(), "rejected", "stopped by"},
		{"open", ssh("unreachable"), opened(fixtures.Host()), "rejected", "in docker0 tcp"},
		{"open, meant open", ssh("reachable"), opened(fixtures.Host()), "confirmed", "reachable"},
		{"no filter was read", ssh("unreachable"), status(fixtures.Host(), "nftables", snapshot.Denied), "unconfirmed", "nftables was not read"},
		{"listeners in part", ssh("unreachable"), status(fixtures.Host(), "listeners", snapshot.Partial), "unconfirmed", "listeners was read in part"},
		{"listeners in part, and open", ssh("unreachable"), status(opened(fixtures.Host()), "listeners", snapshot.Partial), "rejected", "in docker0 tcp"},
		{"listeners in part, and closed, meant open", ssh("reachable"), status(fixtures.Host(), "listeners", snapshot.Partial), "unconfirmed", "listeners was read in part"},
		{"services", services, fixtures.Host(), "confirmed", "sshd"},
		{"a service", services, opened(fixtures.Host()), "rejected", "in docker0 tcp"},
		{"but that one", "{reach: {from: 'zone:workload', to: services, except: [22/tcp], answer: unreachable}}", opened(fixtures.Host()), "confirmed", "no such service"},
		{"services of a filter that was not read", services, status(fixtures.Host(), "nftables", snapshot.Error), "unconfirmed", "nftables was not read"},
		{"an interface that is gone", "{reach: {from: 'iface:gone0', to: host, answer: unreachable}}", fixtures.Host(), "unconfirmed", "no interface gone0"},
		{"an empty zone", "{reach: {from: 'zone:runtime', to: host, answer: unreachable}}", fixtures.Host(), "confirmed", `[from "runtime": nothing is in that zone]`},
		{"who is meant to", filter, fixtures.Host(), "confirmed", "as is meant"},
		{"nobody of a kind", "{path: {from: 'kind:agent', to: root@host, answer: none}}", fixtures.Host(), "confirmed", "nobody such"},
		{"nobody of a name", "{path: {from: 'container wbe', to: root@host, answer: none}}", fixtures.Host(), "unconfirmed", "nobody on the host is called container wbe"},
		{"paths of files that were not read", filter, status(fixtures.Host(), "powers", snapshot.Denied), "unconfirmed", "powers was not read"},
		{"paths in part", filter, status(fixtures.Host(), "processes", snapshot.Partial), "unconfirmed", ""},
		{"a check", "{check: [host/not-immutable]}", fixtures.Host(), "confirmed", "it passes"},
		{"a check that does not apply", "{check: [agent/runs-as-root]}", fixtures.Host(), "confirmed", "does not apply"},
		{"a check of another system", "{check: [windows/firewall-off]}", fixtures.Host(), "unconfirmed", "does not run Windows"},
		{"a check that is unknown", "{check: [host/not-immutable]}", status(fixtures.Host(), "kernel", snapshot.Denied), "unconfirmed", "kernel was not read"},
		{"a check that fails", "{check: [management/ssh-reachable-from-workload]}", opened(fixtures.Host()), "rejected", "reachable"},
		{"a fact", "{fact: host.kernel.lockdown}", fixtures.Host(), "confirmed", "integrity"},
		{"a fact that was not read", "{fact: host.kernel.lockdown}", status(fixtures.Host(), "kernel", snapshot.Error), "unconfirmed", "kernel was not read"},
	} {
		a, r := held(t, c.host, c.holds)
		told := fmt.Sprint(a.Claims, a.Because)
		if a.Validity != c.want || !strings.Contains(told, c.part) {
			t.Errorf("%s: %s %s, want %s with %q", c.name, a.Validity, told, c.want, c.part)
		}
		res := resultOf(t, r, "assumption/x")
		want := map[string]string{"confirmed": finding.Pass, "rejected": finding.Fail, "unconfirmed": finding.Unknown}[c.want]
		if res.Status != want || (len(res.Findings) == 2) != (want == finding.Fail) {
			t.Errorf("%s: %+v", c.name, res)
		}
	}
}

// TestRulesOfAssumptions: a rule of the user answers, and one that fails, has no answer or reads what was not seen confirms nothing.
func TestRulesOfAssumptions(t *testing.T) {
	rule := func(name, reads, text string) Module {
		return Module{"dir/" + name + ".rego", []byte("# METADATA\n# custom: {reads: [" + reads + "]}\npackage ringfence.assumption." + name + "\n\n" + text + "\n")}
	}
	cases := [][2]string{
		{`answer := {"validity": "confirmed", "evidence": ["as it is"]}`, "confirmed"},
		{`answer := {"validity": "rejected", "because": "it is not"}`, "rejected"},
		{`answer := {"validity": "unconfirmed", "because": "who knows"}`, "unconfirmed"},
		{`answer := {"validity": "certainly"}`, "unconfirmed"},
		{`answer := {"validity": "confirmed"} if input.host.name == "no"`, "unconfirmed"},
		{`answer := {"validity": 1 / 0}`, "unconfirmed"},
		{`answer := {"validity": "confirmed", "more": 1}`, "unconfirmed"},
	}
	modules := []Module{rule("unseen", "kernel.facts", `answer := {"validity": "confirmed", "evidence": [input.kernel.facts.lockdown.value]}`)}
	for i, c := range cases {
		modules = append(modules, rule(fmt.Sprintf("r%d", i), "", c[0]))
	}
	p, err := Load(modules...)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if a, r := heldBy(t, p, fixtures.Host(), fmt.Sprintf("{rego: data.ringfence.assumption.r%d}", i)); a.Validity != c[1] || len(r.Results) != len(p.Checks)+1 {
			t.Errorf("%s: %s %q, want %s", c[0], a.Validity, a.Because, c[1])
		}
	}
	for state, want := range map[snapshot.Status]string{snapshot.OK: "confirmed", snapshot.Denied: "unconfirmed", snapshot.Partial: "unconfirmed"} {
		if a, _ := heldBy(t, p, status(fixtures.Host(), "kernel", state), "{rego: data.ringfence.assumption.unseen}"); a.Validity != want {
			t.Errorf("%s: %s %q", state, a.Validity, a.Because)
		}
	}
	if _, err := Load(rule("mine", "", `answer := {"validity": input.kernel.facts.lockdown.value}`)); err == nil {
		t.Error("a rule reads what it does not name")
	}
	if _, err := Load(rule("mine", "", "answer := {\"validity\": x}\nx := y\ny := x")); err == nil || !strings.Contains(err.Error(), "recursive") {
		t.Errorf("a circle of rules: %v", err)
	}
}

// TestCheckUnderAnAssumption: a check says in its METADATA what it rests on, and passes only while that holds.
func TestCheckUnderAnAssumption(t *testing.T) {
	under := Module{"dir/rests.rego", []byte(strings.Replace(header, "remediation: R", "remediation: R, assumes: [x]", 1) + "package ringfence.own.rests\n\nfinding contains {\"message\": \"m\"} if false\n")}
	for host, want := range map[*snapshot.Snapshot]string{fixtures.Host(): finding.Pass, status(fixtures.Host(), "kernel", snapshot.Denied): finding.Unknown} {
		_, r := held(t, host, "{fact: host.kernel.lockdown}", under)
		res := resultOf(t, r, "own/rests")
		if res.Status != want || !strings.Contains(res.Reason, "if x") || len(res.Under) != 1 {
			t.Errorf("%+v, want %s", res, want)
		}
	}
}

// TestFactsOfTheSystem: what runs is read-only if everything that is mounted in its place is.
func TestFactsOfTheSystem(t *testing.T) {
	ro := snapshot.HostMount{Path: "/", FSType: "squashfs", ReadOnly: true, SuperReadOnly: true}
	bind, over := ro, snapshot.HostMount{Path: "/usr/bin", FSType: "overlay"}
	bind.SuperReadOnly = false
	verity := snapshot.HostMount{Path: "/usr", FSType: "erofs", ReadOnly: true, Verity: true}
	state := snapshot.HostMount{Path: "/", FSType: "ext4"}
	for _, c := range []struct {
		name   string
		mounts []snapshot.HostMount
		want   string
		part   string
	}{
		{"squashfs", []snapshot.HostMount{ro}, "confirmed", "squashfs, read-only"},
		{"with a layer over its programs", []snapshot.HostMount{ro, over}, "rejected", "/usr/bin is overlay, writable"},
		{"read-only mount alone", []snapshot.HostMount{bind}, "unconfirmed", "another mount"},
		{"state on the root", []snapshot.HostMount{state, verity}, "unconfirmed", "who writes to the root"},
		{"writable", []snapshot.HostMount{state}, "rejected", "/ is ext4, writable"},
		{"covered again", []snapshot.HostMount{ro, over, {Path: "/usr/bin", FSType: "erofs", ReadOnly: true, SuperReadOnly: true}}, "confirmed", "erofs"},
		{"extensions are merged", []snapshot.HostMount{ro, {Path: "/usr", FSType: "overlay", ReadOnly: true, SuperReadOnly: true}}, "unconfirmed", "merged"},
		{"nothing seen", nil, "unconfirmed", "no mount"},
	} {
		s := fixtures.Host()
		s.Kernel.Mounts = c.mounts
		if a, _ := held(t, s, "{fact: host.system.readonly}"); a.Validity != c.want || !strings.Contains(fmt.Sprint(a.Claims), c.part) {
			t.Errorf("%s: %+v, want %s with %q", c.name, a, c.want, c.part)
		}
	}
}

// TestMountsAreAFactOfTheirOwn: what else of the kernel was not read takes nothing from what is mounted; mounts that were not all seen confirm nothing.
func TestMountsAreAFactOfTheirOwn(t *testing.T) {
	ro := snapshot.HostMount{Path: "/", FSType: "squashfs", ReadOnly: true, SuperReadOnly: true}
	many := []snapshot.HostMount{ro}
	for len(many) < manyMounts {
		many = append(many, snapshot.HostMount{Path: fmt.Sprintf("/usr/%d", len(many)), FSType: "squashfs", ReadOnly: true, SuperReadOnly: true})
	}
	for name, c := range map[string]struct {
		parts  []string
		mounts []snapshot.HostMount
		want   string
	}{
		"other facts": {[]string{"facts", "sysctls"}, []snapshot.HostMount{ro}, "confirmed"},
		"mounts":      {[]string{"facts", "mounts"}, []snapshot.HostMount{ro}, "unconfirmed"},
		"anything":    {nil, []snapshot.HostMount{ro}, "unconfirmed"},
		"too many":    {[]string{"facts"}, many, "unconfirmed"},
	} {
		for _, fact := range []string{"host.system.readonly", "host.etc.readonly"} {
			s := fixtures.Host()
			s.Kernel.Mounts = c.mounts
			i := slices.IndexFunc(s.Coverage, func(c snapshot.Coverage) bool { return c.Collector == "kernel" })
			s.Coverage[i].Status, s.Coverage[i].Reasons, s.Coverage[i].Parts = snapshot.Partial, []string{"not read"}, c.parts
			if a, _ := held(t, s, "{fact: "+fact+"}"); a.Validity != c.want {
				t.Errorf("%s, %s: %+v, want %s", name, fact, a, c.want)
			}
		}
	}
}

// TestFactsOfTheKernel: each fact that keeps the kernel from being changed, set, unset, absent and unread.
func TestFactsOfTheKernel(t *testing.T) {
	present := func(v string) snapshot.Fact { return snapshot.Fact{State: snapshot.Present, Value: v} }
	absent, denied := snapshot.Fact{State: snapshot.Absent}, snapshot.Fact{State: snapshot.Denied, Reason: "not permitted"}
	const locked, free = "none [integrity] confidentiality", "[none] integrity confidentiality"
	for _, c := range []struct {
		fact                           string
		lock, sig, modules, kexec, bpf snapshot.Fact
		want                           string
	}{
		{"host.kernel.lockdown", present(locked), absent, absent, absent, absent, "confirmed"},
		{"host.kernel.lockdown", present(free), absent, absent, absent, absent, "rejected"},
		{"host.kernel.lockdown", absent, absent, absent, absent, absent, "rejected"},
		{"host.kernel.lockdown", denied, absent, absent, absent, absent, "unconfirmed"},
		{"host.kernel.modules-signed", present(free), present("N"), present("0"), absent, absent, "rejected"},
		{"host.kernel.modules-signed", present(free), present("Y"), present("0"), absent, absent, "confirmed"},
		{"host.kernel.modules-signed", present(free), present("N"), present("1"), absent, absent, "confirmed"},
		{"host.kernel.modules-signed", present(locked), present("N"), present("0"), absent, absent, "confirmed"},
		{"host.kernel.modules-signed", present(free), denied, present("0"), absent, absent, "unconfirmed"},
		{"host.kernel.modules-signed", denied, present("N"), present("0"), absent, absent, "unconfirmed"},
		{"host.kernel.modules-signed", present(free), present("N"), denied, absent, absent, "unconfirmed"},
		{"host.kernel.kexec-off", present(free), absent, absent, present("0"), absent, "rejected"},
		{"host.kernel.kexec-off", present(free), absent, absent, present("1"), absent, "confirmed"},
		{"host.kernel.kexec-off", present(locked), absent, absent, present("0"), absent, "confirmed"},
		{"host.kernel.kexec-off", present(free), absent, absent, denied, absent, "unconfirmed"},
		{"host.kernel.kexec-off", present(free), absent, absent, absent, absent, "confirmed"},
		{"host.kernel.bpf-restricted", absent, absent, absent, absent, present("0"), "rejected"},
		{"host.kernel.bpf-restricted", absent, absent, absent, absent, present("2"), "confirmed"},
		{"host.kernel.bpf-restricted", absent, absent, absent, absent, denied, "unconfirmed"},
	} {
		s := fixtures.Host()
		k := &s.Kernel
		k.Facts["lockdown"], k.Facts["moduleSignatures"] = c.lock, c.sig
		k.Sysctls["kernel/modules_disabled"], k.Sysctls["kernel/kexec_load_disabled"], k.Sysctls["kernel/unprivileged_bpf_disabled"] = c.modules, c.kexec, c.bpf
		if a, _ := held(t, s, "{fact: "+c.fact+"}"); a.Validity != c.want {
			t.Errorf("%+v: %s %q", c, a.Validity, a.Because)
		}
	}
}

// TestShippedAssumptionsOfWindows: what is asked of Linux alone is not known of a host of another system.
func TestShippedAssumptionsOfWindows(t *testing.T) {
	p, err := loadedOnce()
	if err != nil {
		t.Fatal(err)
	}
	reg, err := assume.Shipped(p.Known())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Judge(t.Context(), fixtures.WindowsHost(), p, &Config{Register: reg}, "0")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Assumptions {
		if a.Validity != finding.Unconfirmed {
			t.Errorf("%s: %s %v", a.ID, a.Validity, a.Claims)
		}
	}
}

// TestShippedAssumptions: the set that the program brings along is held against every host, makes no finding, and nothing of it is confirmed
// or rejected where nothing was seen.
func TestShippedAssumptions(t *testing.T) {
	p, err := loadedOnce()
	if err != nil {
		t.Fatal(err)
	}
	reg, err := assume.Shipped(p.Known())
	if err != nil {
		t.Fatal(err)
	}
	s := fixtures.Host()
	for i := range s.Coverage {
		s.Coverage[i].Status, s.Coverage[i].Reasons = snapshot.Denied, []string{"not permitted"}
	}
	r, err := Judge(t.Context(), s, p, &Config{Register: reg}, "0")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Assumptions) != 10 || r.Assumptions[0].ID != "host-immutable" || len(r.Assumptions[0].Claims) != 5 || len(r.Results) != len(p.Checks) {
		t.Fatalf("%d assumptions, %d results of %d checks", len(r.Assumptions), len(r.Results), len(p.Checks))
	}
	for _, a := range r.Assumptions {
		if a.Validity != finding.Unconfirmed || a.Open != finding.Unseen || !a.Shipped {
			t.Errorf("%s: %s %v", a.ID, a.Validity, a.Claims)
		}
	}
}
