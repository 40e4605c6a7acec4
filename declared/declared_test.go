package declared

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/finding"
)

func service(port int, owner, namespace string) finding.Service {
	return finding.Service{Proto: "tcp", Address: "0.0.0.0", Port: port, Owner: owner, Namespace: namespace}
}

// scene is a host with three networks: SSH from management and, by one family, from outside; a container's port from outside.
func scene() *finding.Report {
	cause := []finding.Cause{{Where: "inet f/in#3", Text: "drop"}}
	return &finding.Report{
		Schema: finding.Schema,
		Zones: []finding.Zone{
			{Name: "lo", Zone: "host"},
			{Name: "mgmt0", Zone: "management", Reason: "named so"},
			{Name: "ext0", Zone: "external"},
			{Name: "docker0", Zone: "workload"},
			{Name: "new0", Zone: "unclassified"},
			{Name: "local processes", Zone: "workload"},
		},
		Exposures: []finding.Exposure{
			{Service: service(22, "sshd", "host"), Zone: "management", Origin: "mgmt0", Family: "ipv4", Verdict: "reachable", Witness: "in mgmt0 tcp"},
			{Service: service(22, "sshd", "host"), Zone: "external", Origin: "ext0", Family: "ipv4", Verdict: "unreachable", StoppedBy: cause},
			{Service: service(22, "sshd", "host"), Zone: "external", Origin: "new0", Family: "ipv6", Verdict: "reachable", Witness: "in new0 tcp"},
			{Service: service(22, "sshd", "host"), Zone: "workload", Origin: "docker0", Family: "ipv4", Verdict: "unreachable", StoppedBy: cause},
			{Service: service(80, "nginx", "container web"), Zone: "external", Origin: "ext0", Family: "ipv4", Verdict: "reachable", Witness: "in ext0 tcp 80"},
			{Service: service(80, "nginx", "container web"), Zone: "workload", Origin: "docker0", Family: "ipv4", Verdict: "reachable"},
			{Service: service(9000, "api", "host"), Zone: "workload", Origin: "docker0", Family: "ipv4", Verdict: "unknown", Because: []finding.Cause{{Text: "a set was not read"}}},
		},
		Forwards: []finding.Forward{
			{From: "ext0", FromZone: "external", To: "docker0", ToZone: "workload", Family: "ipv4", Verdict: "reachable", Witness: "in ext0 tcp 80"},
			{From: "docker0", FromZone: "workload", To: "ext0", ToZone: "external", Family: "ipv4", Verdict: "unreachable", StoppedBy: cause},
			{From: "ext0", FromZone: "external", To: "new0", ToZone: "external", Family: "ipv4", Verdict: "reachable"},
		},
		ForwardsLeftOut: []finding.ForwardsLeftOut{{From: "docker0", Family: "ipv6", Verdict: "reachable", To: []string{"mgmt0", "nowhere"}}},
	}
}

// held holds the flows of a model against a report: the findings and open questions of each check.
func held(t *testing.T, r *finding.Report, text, missed string) map[string][]string {
	t.Helper()
	m, err := Parse("f", []byte("version: 1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, res := range m.Hold(r, missed, missed) {
		out[res.ID+" "+res.Status] = []string{}
		for _, f := range res.Findings {
			out[res.ID+" "+res.Status] = append(out[res.ID+" "+res.Status], fmt.Sprintf("%s %s %s | %s", f.Severity, f.Resource.Key, f.Witness, strings.Join(f.Evidence, "; ")))
		}
		for _, u := range res.Unknowns {
			out[res.ID+" "+res.Status] = append(out[res.ID+" "+res.Status], "? "+u.Resource.Key+": "+u.Reason)
		}
	}
	return out
}

// TestRealFlows: what crosses a boundary and is not declared is found with its witness; what is in one zone, or stopped, is not.
func TestRealFlows(t *testing.T) {
	got := held(t, scene(), "flows: []\n", "")
	want := []string{
		"medium management -> tcp 0.0.0.0:22 (sshd) in mgmt0 tcp | possible by mgmt0 ipv4; in mgmt0 tcp",
		"high external -> tcp 0.0.0.0:22 (sshd) in new0 tcp | possible by new0 ipv6; in new0 tcp",
		"medium external -> tcp 0.0.0.0:80 (nginx) in container web in ext0 tcp 80 | possible by ext0 ipv4; in ext0 tcp 80",
		"medium external -> workload in ext0 tcp 80 | possible by ext0 to docker0 ipv4; in ext0 tcp 80",
		"medium workload -> management  | possible by docker0 to mgmt0 ipv6",
		"? workload -> tcp 0.0.0.0:9000 (api): it is not declared, and whether it is possible is not known: a set was not read",
	}
	if d := cmp.Diff(want, got[undeclared+" fail"]); d != "" {
		t.Error(d, got)
	}
	all := `flows:
- {from: management, to: host, service: tcp/22}
- {from: external, to: host, service: tcp/20-25, owner: sshd, address: 0.0.0.0}
- {from: external, to: workload, service: tcp/80, in: container web}
- {from: external, to: workload}
- {from: workload, to: management}
- {from: workload, to: host, service: tcp/9000, owner: api}
`
	got = held(t, scene(), all, "")
	if d := cmp.Diff(map[string][]string{
		undeclared + " pass": {}, impossible + " unknown": {"? workload -> host tcp/9000 of api: whether it is possible is not known: a set was not read"}, differs + " not_applicable": {},
	}, got); d != "" {
		t.Error(d)
	}
	for _, other := range []string{"owner: sshd2", "address: 127.0.0.1", "service: udp/22", "service: tcp/23"} {
		text := "flows:\n- {from: management, to: host, service: tcp/22, " + other + "}\n"
		if strings.HasPrefix(other, "service") {
			text = "flows:\n- {from: management, to: host, " + other + "}\n"
		}
		if got := held(t, scene(), text, ""); len(got[undeclared+" fail"]) != 6 {
			t.Errorf("%s declares another flow: %v", other, got)
		}
	}
}

// TestDeclaredFlows: what is declared and impossible is found with its proof, and what was not seen whole proves nothing.
func TestDeclaredFlows(t *testing.T) {
	for flow, want := range map[string]string{
		"from: workload, to: host, service: tcp/22":                    "no packet gets there by docker0 ipv4; the proof was checked again; stopped by inet f/in#3 drop",
		"from: workload, to: external":                                 "no packet gets there by docker0 to ext0 ipv4; the proof was checked again; stopped by inet f/in#3 drop",
		"from: runtime, to: host, service: tcp/22":                     "nothing is in the runtime zone",
		"from: management, to: workload":                               "no interfaces lead from the one zone to the other",
		"from: management, to: host, service: tcp/443, why: the page":  "nothing listens on tcp/443; it is declared since: the page",
		"from: management, to: host, service: tcp/22, owner: dropbear": "what listens there is another: tcp 0.0.0.0:22 (sshd)",
	} {
		text := "flows:\n- {" + flow + "}\n"
		got := held(t, scene(), text, "")
		if list := got[impossible+" fail"]; len(list) != 1 || !strings.HasSuffix(list[0], " | "+want) || !strings.HasPrefix(list[0], "low ") {
			t.Errorf("%s: %q, want %q", flow, got, want)
		}
		got = held(t, scene(), text, "listeners was read in part")
		if list := got[impossible+" unknown"]; len(list) != 1 || !strings.Contains(list[0], "read in part") {
			t.Errorf("%s: %q although not all was seen", flow, got)
		}
	}
	all := held(t, &finding.Report{}, "flows: []\n", "network was not read")
	for _, id := range []string{undeclared, impossible} {
		if all[id+" unknown"] == nil {
			t.Errorf("%s: nothing was seen, and it is %v", id, all)
		}
	}
}

// TestZonesOfTheModel: an interface in another zone, one that is not declared, and one that is not there; the loopback is nobody's.
func TestZonesOfTheModel(t *testing.T) {
	got := held(t, scene(), "flows: []\nzones:\n- {name: management, interfaces: [mgmt0, mgmt1]}\n- {name: external, interfaces: ['new*', docker0]}\n- {name: workload, interfaces: ['docker*', 'veth*']}\n", "")
	var heads []string
	for _, f := range got[differs+" fail"] {
		head, _, _ := strings.Cut(f, " |")
		heads = append(heads, strings.TrimSpace(head))
	}
	if d := cmp.Diff([]string{"medium ext0", "medium docker0", "low mgmt1"}, heads); d != "" {
		t.Error(d, got)
	}
	got = held(t, scene(), "flows: []\nzones:\n- {name: management, interfaces: [mgmt0, mgmt1]}\n- {name: external, interfaces: ['*0']}\n- {name: workload, interfaces: [docker0]}\n", "network was read in part")
	if d := cmp.Diff([]string{"? mgmt1: network was read in part"}, got[differs+" unknown"]); d != "" {
		t.Error(d, got)
	}
}

// TestBegunModelHasNoFinding: the model that is begun of a report says what the report says, whatever names are in it.
func TestBegunModelHasNoFinding(t *testing.T) {
	names := []string{"sshd", `a"b`, "x: y", "- z", "#c", "{", "\u202e<script>", "é", "a\nb", "*", "br-[0]", `back\slash`, "null", "0x10", "", "unknown", strings.Repeat("n", 300), "'", "&a", "!!str"}
	pick := func(list []string) string { return list[rand.IntN(len(list))] }
	for range 300 {
		r := scene()
		r.Host.Name = pick(names)
		for i := range r.Zones {
			if i > 0 && i < 5 && rand.IntN(3) == 0 {
				r.Zones[i].Name += pick(names)
			}
		}
		for range rand.IntN(20) {
			s := service(1+rand.IntN(65535), pick(names), pick([]string{"host", "container " + pick(names)}))
			r.Exposures = append(r.Exposures, finding.Exposure{Service: s, Zone: pick(Names), Verdict: pick([]string{"reachable", "unreachable", "unknown"}), Because: []finding.Cause{{Text: pick(names)}}})
			r.Forwards = append(r.Forwards, finding.Forward{FromZone: pick(Names[:4]), ToZone: pick(Names[:4]), Verdict: pick([]string{"reachable", "unreachable", "unknown"})})
		}
		text := Begin(r)
		m, err := Parse("f", []byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		for _, res := range m.Hold(r, "", "") {
			if len(res.Findings) > 0 {
				t.Fatalf("%s: %+v of\n%s", res.ID, res.Findings, text)
			}
		}
	}
}

// TestWrongModels: what is mistyped is an error that says what is wanted.
func TestWrongModels(t *testing.T) {
	for text, want := range map[string]string{
		"flows: []":            "want version: 1",
		"version: 1\nflow: []": `unknown key "flow"`,
		"version: 1\nflows: [{from: outside, to: host, service: tcp/1}]":                                                      `from "outside"`,
		"version: 1\nflows: [{from: external, to: host}]":                                                                     "wants a service",
		"version: 1\nflows: [{from: external, to: external}]":                                                                 "crosses no boundary",
		"version: 1\nflows: [{from: host, to: host, service: tcp/1}]":                                                         "crosses no boundary",
		"version: 1\nflows: [{from: external, to: workload, owner: x}]":                                                       "are of a service",
		"version: 1\nflows: [{from: external, to: host, service: 22}]":                                                        `service "22"`,
		"version: 1\nflows: [{from: external, to: host, service: tcp/0}]":                                                     "ports are 1 to 65535",
		"version: 1\nflows: [{from: external, to: host, service: tcp/9-8}]":                                                   "the lower first",
		"version: 1\nflows: [{from: external, to: host, service: tcp/99999}]":                                                 "ports are 1 to 65535",
		"version: 1\nflows: [{from: external, to: host, service: tcp/1, in: container x}]":                                    "in is of a service",
		"version: 1\nflows: [{from: external, to: host, service: tcp/1}, {from: external, to: host, service: tcp/1, why: x}]": "it is flows[0] too",
		"version: 1\nzones: [{name: dmz, interfaces: [a]}]":                                                                   `name "dmz"`,
		"version: 1\nzones: [{name: external, interfaces: [a]}, {name: external, interfaces: [b]}]":                           "zone external is there twice",
		"version: 1\nzones: [{name: external, interfaces: [a]}, {name: workload, interfaces: [a]}]":                           "a is there twice",
		"version: 1\nzones: [{name: external, interfaces: ['[']}]":                                                            "is no pattern",
		"version: 1\nflows: [" + strings.Repeat("{from: external, to: workload},", 50_001) + "]":                              "more than 50000 flows",
		strings.Repeat("#", MaxSize+1):                                                                                        "larger than 16 MiB",
	} {
		if _, err := Parse("f", []byte(text)); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

// FuzzParse: no text makes a model that panics, and one that is held finds nothing that the report does not have.
func FuzzParse(f *testing.F) {
	f.Add([]byte(Begin(scene())))
	f.Add([]byte(zoned + flowOf("a", "op", "component", "ssh") + "]}"))
	f.Add([]byte("version: 1\nflows:\n- {from: external, to: host, service: tcp/1-65535}\nzones:\n- {name: external, interfaces: ['*']}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse("f", text)
		if err != nil {
			return
		}
		keys := []string{}
		for _, w := range flows(scene()) {
			keys = append(keys, w.key)
		}
		for _, res := range m.Hold(scene(), "", "") {
			for _, e := range res.Findings {
				if res.ID == undeclared && !slices.Contains(keys, e.Resource.Key) || len(e.Evidence) == 0 || e.Fingerprint == "" {
					t.Errorf("%+v", e)
				}
			}
		}
	})
}
