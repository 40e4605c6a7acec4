package authoring

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/judge"
)

// begun are the modules of a new check.
func begun(t *testing.T, id string) []judge.Module {
	t.Helper()
	files, err := New(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	var list []judge.Module
	for name, text := range files {
		list = append(list, judge.Module{File: "mine/" + name, Text: []byte(text)})
	}
	return list
}

// TestNewHolds: a new check is loaded, passes its tests, covers itself, and judges.
func TestNewHolds(t *testing.T) {
	p, err := judge.Load(begun(t, "my-own/no-telnet")...)
	if err != nil {
		t.Fatal(err)
	}
	results, covered, err := p.Test(t.Context(), judge.TestOptions{User: true, Coverage: true})
	if err != nil || len(results) != 4 || len(covered) != 1 || covered[0].Percent != 100 {
		t.Fatalf("%v %+v %+v", err, results, covered)
	}
	for _, r := range results {
		if !r.Pass || r.Builtin {
			t.Errorf("%+v", r)
		}
	}
	s := fixtures.Host()
	s.NFTables.Ruleset.Tables = nil
	for _, port := range []int{22, 23} {
		for i := range s.Listeners.Sockets {
			if k := &s.Listeners.Sockets[i]; k.Port == 22 {
				k.Port = port
			}
		}
		r, err := judge.Judge(t.Context(), s, p, new(judge.Config), "")
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]string{22: finding.NotApplicable, 23: finding.Fail}[port]
		i := slices.IndexFunc(r.Results, func(res finding.Result) bool { return res.ID == "my-own/no-telnet" })
		if i < 0 || r.Results[i].Status != want {
			t.Errorf("port %d: %+v", port, r.Results[max(i, 0)])
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for id, want := range map[string]string{
		"telnet": "want <area>/<check>", "Own/x": "want <area>/<check>", "a/b/c": "want <area>/<check>", "../x/y": "want <area>/<check>", "": "want <area>/<check>",
		"lib/x": "for code that checks share", "shared/x": "for code that checks share", "ssh/empty-passwords": "is there already",
	} {
		if _, err := New(id, []judge.Check{{ID: "ssh/empty-passwords"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", id, err, want)
		}
	}
}

// TestWhatFailedIsTold: a test that fails has its place and how it was evaluated, and only tests that were asked for are run.
func TestWhatFailedIsTold(t *testing.T) {
	list := begun(t, "own/no-telnet")
	for i := range list {
		list[i].Text = []byte(strings.Replace(string(list[i].Text), `with input as _doc("reachable")`, `with input as _doc("unreachable")`, 1))
	}
	p, err := judge.Load(list...)
	if err != nil {
		t.Fatal(err)
	}
	results, covered, err := p.Test(t.Context(), judge.TestOptions{User: true, Trace: true, Coverage: true, Run: regexp.MustCompile("test_(reachable|unreachable)")})
	if err != nil || len(results) != 2 {
		t.Fatalf("%v %+v", err, results)
	}
	text, failed := TestText(results, covered, true)
	for _, want := range []string{
		"FAIL ringfence.own.no_telnet_test.test_reachable_fails mine/own/no-telnet_test.rego:10\n", "ok   ringfence.own.no_telnet_test.test_unreachable_passes\n",
		"| Enter data.ringfence.own.no_telnet_test.test_reachable_fails", "% of mine/own/no-telnet.rego, not line ", "1 passed, 1 failed\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if failed != 1 {
		t.Errorf("%d failed", failed)
	}
	if got := lines([]int{1, 2, 3, 7, 7, 9, 10}); got != "1-3, 7, 9-10" {
		t.Error(got)
	}
}

// TestExport: what is exported is the policies, and what they are checked by.
func TestExport(t *testing.T) {
	files, err := judge.Export()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"policies/ssh/empty-passwords.rego", "lib/lib.rego", "schemas/input.json", "capabilities.json", "data.json", "regal.yaml"} {
		if files[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	caps, err := ast.LoadCapabilitiesJSON(strings.NewReader(files["capabilities.json"]))
	if err != nil || len(caps.FutureKeywords) > 0 || len(caps.Features) != 2 {
		t.Errorf("a word or a feature that an older opa does not know, which then refuses the file: %v %v (%v)", caps.FutureKeywords, caps.Features, err)
	}
	for name, text := range files {
		if strings.HasSuffix(name, ".rego") {
			if _, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: caps}); err != nil {
				t.Error(err)
			}
		}
	}
	if strings.Contains(files["capabilities.json"], "http.send") || !strings.Contains(files["schemas/input.json"], `"services"`) {
		t.Error("what policies may call, or what they see")
	}
}
