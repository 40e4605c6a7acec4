package judge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// TestBuiltinPoliciesHoldTheRules holds the program's own policies to what is asked of those of a user.
func TestBuiltinPoliciesHoldTheRules(t *testing.T) {
	p, err := ofTexts()
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Checks {
		if err := p.holds(&p.Checks[i], p.Checks[i].File); err != nil {
			t.Errorf("%s: %v", p.Checks[i].File, err)
		}
		if spare := p.Spare(&p.Checks[i]); len(spare) > 0 {
			t.Errorf("%s: reads %v, of which it uses nothing", p.Checks[i].File, spare)
		}
	}
}

// own is the policy own/mine of a user with keys of its METADATA: custom begins on line 5, and the rules two lines after the package.
func own(custom, rules string) Module {
	var text strings.Builder
	text.WriteString("# METADATA\n# title: T\n# description: D\n# custom:\n")
	for line := range strings.Lines(custom) {
		text.WriteString("#   " + line)
	}
	return Module{"dir/mine.rego", []byte(text.String() + "\npackage ringfence.own.mine\n\n" + rules + "\n")}
}

const usual = "severity: low\nreads: []\nremediation: R"

// TestWrongPoliciesAreRefused has a policy with one thing wrong each: the error names the file, the line and the way out.
func TestWrongPoliciesAreRefused(t *testing.T) {
	all := many{want: map[string][]string{}}
	const never = `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"} if 1 == 2`
	for name, c := range map[string]struct {
		m    Module
		want []string
	}{
		"severity":             {own("severity: awful\nreads: []\nremediation: R", never), []string{"/mine.rego:5:", `"awful"`, "critical, high"}},
		"severity, not a text": {own("severity: 5\nreads: []\nremediation: R", never), []string{"/mine.rego:5:", "want a text"}},
		"no severity":          {own("reads: []\nremediation: R", never), []string{"/mine.rego:1:", "custom.severity is missing"}},
		"key":                  {own("severty: low\n"+usual, never), []string{"/mine.rego:5:", `"severty"`, "want severity, reads"}},
		"section":              {own("severity: low\nreads:\n  - ssh\n  - sssh\nremediation: R", never), []string{"/mine.rego:8:", `"sssh"`, "listeners, "}},
		"part":                 {own("severity: low\nreads: [listeners.nosuch]\nremediation: R", never), []string{"/mine.rego:6:", `"listeners.nosuch"`, "listeners.ip"}},
		"reads, no list":       {own("severity: low\nreads: ssh\nremediation: R", never), []string{"/mine.rego:6:", "want a list of sections"}},
		"references":           {own(usual+"\nreferences: {cwes: [CWE-1]}", never), []string{"/mine.rego:8:", "want an object with cis"}},
		"reads lacks":          {own(usual, "_a := 1\n\n"+`not_applicable := "x" if count(input.firewall.input) == 0`), []string{"/mine.rego:12:", "input.firewall", "reads: [network, nftables]"}},
		"by another check": {
			own(usual, `finding contains f if some f in data.ringfence.firewall.no_input_filter.finding`),
			[]string{"/mine.rego", "builtin/policies/firewall/no-input-filter.rego", "reads: ["},
		},
		"by all of an area": {own(usual, `finding contains f if some f in data.ringfence.firewall[_].finding`), []string{"/mine.rego", "reads: ["}},
		"no METADATA":       {Module{"dir/mine.rego", []byte("package ringfence.own.mine\n\n" + never)}, []string{"/mine.rego:1:", "title, description, custom.severity, custom.remediation is missing"}},
		"file name":         {Module{"dir/yours.rego", own(usual, never).Text}, []string{"yours.rego:8:", "call it mine.rego"}},
		"kind of resource": {
			own(usual, `finding contains {"resource": {"kind": "hst", "key": "k"}, "message": "m"}`),
			[]string{"/mine.rego:10:", `"hst"`, "custom.kinds"},
		},
		"kind of what is unknown": {
			own(usual, `unknown contains {"resource": {"kind": "hst", "key": "k"}, "reason": "m"}`), []string{"/mine.rego:10:", `"hst"`},
		},
		"kind in a body": {
			own(usual, "finding contains f if {\n\tf := {\"resource\": {\"kind\": \"hst\", \"key\": \"k\"}, \"message\": \"m\"}\n}"),
			[]string{"/mine.rego:11:", `"hst"`},
		},
		"kind of remediation": {
			own(usual, `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m", "remediation": [{"kind": "iptables", "text": "x"}]}`),
			[]string{"/mine.rego:10:", `"iptables"`, "nft, sshd"},
		},
		"severity of a finding": {
			own(usual, `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m", "severity": "urgent"}`),
			[]string{"/mine.rego:10:", `"urgent"`, "critical, high"},
		},
		"no message":    {own(usual, `finding contains {"resource": {"kind": "host", "key": "k"}}`), []string{"/mine.rego:10:", "an entry has no message"}},
		"no reason":     {own(usual, `unknown contains {"resource": {"kind": "host", "key": "k"}}`), []string{"/mine.rego:10:", "an entry has no reason"}},
		"no key":        {own(usual, `finding contains {"resource": {"kind": "host"}, "message": "m"}`), []string{"/mine.rego:10:", "a resource has no key"}},
		"resource":      {own(usual, `finding contains {"resource": {"kind": "host", "kex": "k"}, "message": "m"}`), []string{"/mine.rego:10:", `no field "kex"`, "kind, key or path"}},
		"public rule":   {own(usual, never+"\n\nhelper := 1"), []string{"/mine.rego:12:", `rule "helper"`, "begins with _"}},
		"public helper": {own(usual, never+"\n\nhelper(x) := x"), nil},
		"field":         {own(usual, `finding contains {"resource": {"kind": "host", "key": "k"}, "mesage": "m"}`), []string{"/mine.rego:10:", `"mesage"`, "message"}},
	} {
		all.add(name, c.m, c.want)
	}
	all.refused(t)
}

// many are modules that are loaded at once, for the time that a load takes: each is in a directory of its own.
type many struct {
	modules []Module
	want    map[string][]string
}

func (m *many) add(name string, f Module, want []string) {
	n := len(m.modules)
	dir := fmt.Sprintf("dir%d/", n)
	f.File = strings.Replace(f.File, "dir/", dir, 1)
	f.Text = []byte(strings.Replace(string(f.Text), "package ringfence.own.mine", fmt.Sprintf("package ringfence.own%d.mine", n), 1))
	m.modules, m.want[name+"\n"+dir] = append(m.modules, f), want
}

// refused wants none to be loaded, and what is said of each to have its texts; one without is fine.
func (m *many) refused(t *testing.T) {
	t.Helper()
	_, err := Load(m.modules...)
	if !errors.Is(err, ErrPolicy) {
		t.Fatalf("they are loaded (%v)", err)
	}
	for key, want := range m.want {
		end := strings.LastIndex(key, "\n")
		name, dir := key[:end], key[end+1:]
		said := ""
		for line := range strings.Lines(err.Error()) {
			if strings.HasPrefix(line, "policy: "+dir) {
				said = line
			}
		}
		if said == "" != (want == nil) {
			t.Errorf("%s: %q, want %q", name, said, want)
		}
		for _, w := range want {
			if !strings.Contains(said, w) {
				t.Errorf("%s: %q does not have %q", name, said, w)
			}
		}
	}
}

// refused wants modules not to be loaded, and the error to have each text.
func refused(t *testing.T, want []string, modules ...Module) {
	t.Helper()
	_, err := Load(modules...)
	if !errors.Is(err, ErrPolicy) {
		t.Fatalf("it is loaded (%v)", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not have %q", err, w)
		}
	}
}

// TestKeysOfReachAreZones: a policy that asks a service about what is no zone is refused with the line and the zone that was meant, however it asks;
// what is a zone, and what is no question to a service, is not.
func TestKeysOfReachAreZones(t *testing.T) {
	const reads = "severity: low\nreads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes, system]\nremediation: R"
	const head = "finding contains {\"resource\": {\"kind\": \"service\", \"key\": svc.key}, \"message\": \"m\"} if {\n\tsome svc in input.services\n\t"
	all := many{want: map[string][]string{}}
	for _, c := range []struct {
		body, wrong string
		typed       bool // the compiler's types refuse it, before any policy is looked at by itself
	}{
		{`svc.reach.externl.verdict == "reachable"`, "externl", true},
		{`svc.reach.external.why == "x"`, "why", true},
		{"some zone in [\"external\"]\n\treach := svc.reach[zone]\n\treach.verdct == \"reachable\"", "verdct", true},
		{`_open(svc, "externl")`, "externl", false},
		{`_open(svc, "external")`, "", false},
		{`svc.reach["worklod"].verdict == "reachable"`, "worklod", true},
		{"some zone in [\"external\", \"worklod\"]\n\tsvc.reach[zone].verdict == \"reachable\"", "worklod", false},
		{"some zone in {\"externl\"}\n\tsvc.reach[zone].verdict == \"reachable\"", "externl", false},
		{"some zone\n\tsvc.reach[zone].verdict == \"reachable\"\n\tzone == \"externl\"", "externl", false},
		{"zone := \"externl\"\n\tsvc.reach[zone].verdict == \"reachable\"", "externl", false},
		{"some zone, r in svc.reach\n\tr.verdict == \"reachable\"\n\tsvc.reach[zone].local\n\tzone != \"externl\"", "externl", false},
		{`count([z | some z in ["externl"]; svc.reach[z].verdict == "reachable"]) > 0`, "externl", false},
		{`object.get(svc.reach, "externl", {"verdict": "unknown"}).verdict == "reachable"`, "externl", false},
		{`svc.reach.external.verdict == "reachable"`, "", false},
		{"some zone in [\"external\", \"workload\", \"host\"]\n\tsvc.reach[zone].verdict == \"reachable\"", "", false},
		{"some word in [\"ssh\", \"other\"]\n\tsvc.class == word\n\tsvc.reach.external.local", "", false},
	} {
		m := own(reads, head+c.body+"\n}\n\n_open(svc, zone) if svc.reach[zone].verdict == \"reachable\"")
		switch {
		case c.wrong == "":
			all.add(c.body, m, nil)
		case c.typed:
			refused(t, []string{" has no " + c.wrong + "; ", "/mine.rego:1"}, m)
		default:
			all.add(c.body, m, []string{"zone \"" + c.wrong + "\": want external, ", "did you mean", "/mine.rego:1"})
		}
	}
	all.refused(t)
}

// TestOwnKindsAreDeclared: a policy names the kinds of resources that are its own, and what it makes up otherwise is its own unknown.
func TestOwnKindsAreDeclared(t *testing.T) {
	rules := `finding contains {"resource": {"kind": concat("", ["ro", "bot"]), "key": "k"}, "message": "m"}`
	p, err := Load(own(usual+"\nkinds: [robot]", rules))
	if err != nil {
		t.Fatal(err)
	}
	if res := resultOf(t, judged(t, p), "own/mine"); res.Status != finding.Fail {
		t.Errorf("declared: %s %s", res.Status, res.Reason)
	}
	if p, err = Load(own(usual, rules)); err != nil {
		t.Fatal(err)
	}
	r := judged(t, p)
	if res := resultOf(t, r, "own/mine"); res.Status != finding.Unknown || !strings.Contains(res.Reason, `"robot"`) {
		t.Errorf("not declared: %s %s", res.Status, res.Reason)
	}
	sameBuiltins(t, r)
}

// TestPolicyWithoutFindingsNeverPasses: a rule finding that has another name is no reason to be content.
func TestPolicyWithoutFindingsNeverPasses(t *testing.T) {
	p, err := Load(own(usual, `_findings contains {"resource": {"kind": "host", "key": "k"}, "message": "m"}`))
	if err != nil {
		t.Fatal(err)
	}
	if res := resultOf(t, judged(t, p), "own/mine"); res.Status != finding.Unknown || !strings.Contains(res.Reason, "has no rule finding") {
		t.Errorf("%s %q", res.Status, res.Reason)
	}
}

// TestParamsAreDeclared refuses parameters that are read and not declared, and declarations that leave something open.
func TestParamsAreDeclared(t *testing.T) {
	reads := func(expr string) string {
		return `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"} if ` + expr
	}
	with := func(decl string) string { return usual + "\nparams:\n  limit: " + decl }
	all := many{want: map[string][]string{}}
	ok := with(`{type: integer, default: 3}`)
	for name, c := range map[string]struct {
		m    Module
		want []string // nothing: it is loaded
	}{
		"by its name":             {own(ok, reads("data.params.limit > 2")), nil},
		"as an index":             {own(ok, reads(`data.params["limit"] > 2`)), nil},
		"by object.get":           {own(ok, reads(`object.get(data.params, "limit", 1) > 2`)), nil},
		"by a path of object.get": {own(ok, reads(`object.get(data.params, ["limit", "x"], 1) > 2`)), nil},
		"imported":                {own(ok, "import data.params\n\n"+reads("params.limit > 2")), nil},
		"imported with a name":    {own(ok, "import data.params as p\n\n"+reads(`object.get(p, "limit", 0) > 2`)), nil},
		"another":                 {own(ok, reads("data.params.limits > 2")), []string{"/mine.rego:12:", "parameter limits is not declared", "custom.params"}},
		"another by object.get":   {own(ok, reads(`object.get(data.params, "limits", 3) > 2`)), []string{"parameter limits is not declared"}},
		"another, imported":       {own(ok, "import data.params\n\n"+reads("params.limits > 2")), []string{"/mine.rego:14:", "parameter limits is not declared"}},
		"none is declared":        {own(usual, reads("data.params.limit > 2")), []string{"/mine.rego:10:", "parameter limit is not declared"}},
		"inside of a ref":         {own(usual, reads("{1: 2}[data.params.limit] > 2")), []string{"parameter limit is not declared"}},
		"in the name of a rule":   {own(usual, "_x[data.params.limit] := 1\n\n"+reads("_x.a == 2")), []string{"parameter limit is not declared"}},
		"computed":                {own(ok, reads(`{ some n in ["limit"]; data.params[n] > 2 }`)), []string{"/mine.rego:12:", "by its name"}},
		"all of them":             {own(ok, reads(`count(data.params) > 2`)), []string{"by its name"}},

		"no type":                      {own(with(`{default: 3}`), reads("data.params.limit > 2")), []string{"/mine.rego:8:", "parameter limit", "want one of boolean"}},
		"unknown type":                 {own(with(`{type: int, default: 3}`), reads("data.params.limit > 2")), []string{"/mine.rego:9:", `"int"`, "integer"}},
		"neither default nor required": {own(with(`{type: integer}`), reads("data.params.limit > 2")), []string{"give it a default, or required: true"}},
		"both":                         {own(with(`{type: integer, default: 3, required: true}`), reads("data.params.limit > 2")), []string{"take one away"}},
		"default of another type":      {own(with(`{type: integer, default: "3"}`), reads("data.params.limit > 2")), []string{"the default is a text, want a whole number"}},
		"default that is not whole":    {own(with(`{type: integer, default: 3.5}`), reads("data.params.limit > 2")), []string{"want a whole number"}},
		"list with a number":           {own(with(`{type: strings, default: [a, 3]}`), reads("data.params.limit > 2")), []string{"want a list of texts"}},
		"key of a declaration":         {own(with(`{type: integer, defalt: 3}`), reads("data.params.limit > 2")), []string{"parameter limit", "defalt"}},
		"no object":                    {own(usual+"\nparams: [limit]", reads("data.params.limit > 2")), []string{"/mine.rego:8:", "want an object of declarations"}},
		"as a built-in":                {own(usual+"\nparams:\n  devices: {type: strings, default: []}", reads(`"y" in data.params.devices`)), nil},
	} {
		all.add(name, c.m, c.want)
	}
	all.refused(t)
	refused(t, []string{"devices", "give it another name"}, own(usual+"\nparams:\n  devices: {type: string, default: x}", reads(`data.params.devices == "y"`)))
	shared := Module{"dir/s.rego", []byte("package ringfence.shared.s\n\nmuch(x) if x > data.params.limit\n")}
	uses := reads("data.ringfence.shared.s.much(4)")
	refused(t, []string{"limit is not declared"}, shared, own(usual, uses))
	if _, err := Load(shared, own(ok, uses)); err != nil {
		t.Errorf("by shared code, declared: %v", err)
	}
}

// TestParamsOfTheConfiguration: a value is declared and of its type, the default holds without one, and without a required one the check
// alone is unknown.
func TestParamsOfTheConfiguration(t *testing.T) {
	const rule = `finding contains {"resource": {"kind": "host", "key": sprintf("%v", [data.params.limit])}, "message": "m"} if data.params.limit > 2`
	f, err := os.Open("../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := snapshot.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	load := func(decl string) *Policies {
		p, err := Load(own(usual+"\nparams:\n  limit: "+decl, rule))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	byDefault, required := load(`{type: integer, default: 3}`), load(`{type: integer, required: true}`)
	for name, c := range map[string]struct {
		p      *Policies
		params map[string]any
		status string
		text   string
	}{
		"default":          {byDefault, nil, finding.Fail, "3"},
		"another value":    {byDefault, map[string]any{"limit": 7.0}, finding.Fail, "7"},
		"a smaller one":    {byDefault, map[string]any{"limit": 1.0}, finding.Pass, ""},
		"required, given":  {required, map[string]any{"limit": 4.0}, finding.Fail, "4"},
		"required, absent": {required, nil, finding.Unknown, "params.limit"},
	} {
		cfg := &Config{Params: c.params}
		if err := cfg.Validate(c.p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r, err := Judge(context.Background(), s, c.p, cfg, "0.0.0")
		if err != nil {
			t.Fatal(err)
		}
		res := resultOf(t, r, "own/mine")
		if res.Status != c.status || !strings.Contains(res.Reason, c.text) && (len(res.Findings) != 1 || res.Findings[0].Resource.Key != c.text) {
			t.Errorf("%s: %s %q %v", name, res.Status, res.Reason, res.Findings)
		}
	}
	for text, want := range map[string]string{
		"params: {limits: 3}":       "params.limits: no policy declares it",
		"params: {limit: three}":    "params.limit: want a whole number, got a text",
		"params: {limit: 3.5}":      "params.limit: want a whole number, got a number",
		"params: {devices: [1]}":    "params.devices: want a list of texts, got a list",
		"params: {devices: /dev/x}": "params.devices: want a list of texts, got a text",
		"params: {limit: null}":     "params.limit: want a whole number, got nothing",
	} {
		cfg, err := ParseConfig("c.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.Validate(byDefault); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestFailureSaysWhatWasNotSeen: what a check finds does not hide that it did not see all, and --strict counts it.
func TestFailureSaysWhatWasNotSeen(t *testing.T) {
	p, err := Load(mineOf("[ssh]", "seen", `finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m", "severity": "low"} if input.ssh`))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := snapshot.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, partly := range []bool{false, true} {
		if partly {
			c := s.Section("ssh")
			c.Status, c.Reasons = snapshot.Partial, []string{"one file was not read"}
			for i := range s.Coverage {
				if s.Coverage[i].Collector == "ssh" {
					s.Coverage[i] = c
				}
			}
		}
		r, err := Judge(context.Background(), s, p, new(Config), "0.0.0")
		if err != nil {
			t.Fatal(err)
		}
		res := resultOf(t, r, "own/seen")
		open := slices.ContainsFunc(r.Open(), func(o finding.Open) bool { return o.Check == "own/seen" })
		if res.Status != finding.Fail || open != partly || strings.Contains(res.Reason, "one file was not read") != partly {
			t.Errorf("partly %v: %s %q, open %v", partly, res.Status, res.Reason, open)
		}
	}
}
