package declared

import (
	"strings"
	"testing"
)

// zoned begins a TM-BOM with the zones of the program and an object in each.
const zoned = `{"trust_zones": [{"symbolic_name": "external"}, {"symbolic_name": "host"}, {"symbolic_name": "runtime"}, {"symbolic_name": "workload"}, {"symbolic_name": "management"}],
"actors": [{"symbolic_name": "out", "trust_zone": "external"}, {"symbolic_name": "op", "trust_zone": "management"}, {"symbolic_name": "code", "trust_zone": "workload"}],
"components": [{"symbolic_name": "ssh", "title": "tcp 0.0.0.0:22 (sshd)", "trust_zone": "host"}, {"symbolic_name": "web", "title": "tcp 0.0.0.0:80 (nginx) in container web", "trust_zone": "workload"},
{"symbolic_name": "old", "title": "tcp 0.0.0.0:23 (telnetd)", "trust_zone": "host"}, {"symbolic_name": "engine", "title": "Engine", "trust_zone": "runtime"}, {"symbolic_name": "network-workload", "title": "Networks", "trust_zone": "workload"}],
"data_stores": [{"symbolic_name": "db", "trust_zone": "host"}],
"data_flows": [`

func flowOf(name, from, kind, to string) string {
	return `{"symbolic_name": "` + name + `", "title": "` + name + `", "source": {"type": "actor", "object": "` + from + `"}, "destination": {"type": "` + kind + `", "object": "` + to + `"}}`
}

// of is what a TM-BOM with flows finds of the scene.
func of(t *testing.T, rest string, list ...string) map[string][]string {
	t.Helper()
	m, err := Parse("f", []byte(zoned+strings.Join(list, ",")+"]"+rest+"}"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, res := range m.Hold(scene(), "", "") {
		for _, f := range res.Findings {
			out[res.ID] = append(out[res.ID], f.Resource.Key)
		}
	}
	return out
}

// TestTMBOM: a flow to a component that is called as a socket is about that, any other one about its zones, and what is no flow of packets is left alone.
func TestTMBOM(t *testing.T) {
	got := of(t, "", flowOf("a", "op", "component", "ssh"), flowOf("b", "out", "component", "ssh"), flowOf("c", "out", "component", "web"), flowOf("d", "code", "component", "web"), flowOf("e", "code", "data-store", "db"))
	if want := "external -> workload|workload -> management"; strings.Join(got[undeclared], "|") != want || len(got[impossible]) != 0 {
		t.Errorf("%v, want %s", got, want)
	}
	got = of(t, "", flowOf("a", "op", "component", "old"), flowOf("b", "out", "component", "network-workload"))
	if strings.Join(got[impossible], "|") != "a" || strings.Join(got[undeclared], "|") != "management -> tcp 0.0.0.0:22 (sshd)|external -> tcp 0.0.0.0:22 (sshd)|workload -> management" {
		t.Errorf("%v", got)
	}
	ext := `,"extensions": {"` + extension + `": {"flows": {"b": {"kind": "forward"}, "p": {"kind": "power"}}}}`
	got = of(t, ext, flowOf("b", "out", "component", "network-workload"), flowOf("p", "code", "component", "engine"), flowOf("q", "out", "component", "engine"))
	if strings.Join(got[undeclared], "|") != "management -> tcp 0.0.0.0:22 (sshd)|external -> tcp 0.0.0.0:80 (nginx) in container web|workload -> management" || len(got[impossible]) != 0 {
		t.Errorf("%v", got)
	}
}

// TestAssumptionsOfTMBOM: what a shipped assumption says is held as that is, and of the others nothing is known.
func TestAssumptionsOfTMBOM(t *testing.T) {
	m, err := Parse("f", []byte(zoned+`], "assumptions": [{"description": "the host os is hardened and immutable. confirmed in May", "validity": "confirmed"}, {"description": "We are lucky."}, {"description": "We are lucky."}, {"description": "!"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range m.Assumptions {
		ids = append(ids, a.ID)
	}
	if strings.Join(ids, " ") != "host-immutable we-are-lucky we-are-lucky-2 3" || len(m.Assumptions[0].Holds.All) != 5 {
		t.Errorf("%q", ids)
	}
}

// TestWrongTMBOM: what leads nowhere is an error.
func TestWrongTMBOM(t *testing.T) {
	for text, want := range map[string]string{
		zoned + flowOf("a", "nobody", "component", "ssh") + "]}":        "data_flows[0] (a): its source or destination is not in the document",
		`{"trust_zones": [{"symbolic_name": "dmz"}], "data_flows": []}`: `trust zone "dmz"`,
		`{"trust_zones": [], "data_flows": [], "actors": 7}`:            "cannot unmarshal",
		zoned + "]," + `"extensions": {"` + extension + `": 7}}`:        "extensions: ",
		`{"trust_zones": []}`: `unknown key "trust_zones"`,
	} {
		if _, err := Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}
