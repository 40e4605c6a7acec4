package remedy

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
)

// TestWhatFollowsEndsWithItsCauses: what is a consequence of others is no thing to do of its own. One cause closes it with itself; of several, each has
// a share and the last closes it. What a packet filter stops, or somebody accepted, is no end of it.
func TestWhatFollowsEndsWithItsCauses(t *testing.T) {
	words := func(text string) []finding.Remediation { return []finding.Remediation{{Kind: "config", Text: text}} }
	of := func(check, key, severity string, todo []finding.Remediation) finding.Result {
		return finding.Result{ID: check, Status: finding.Fail, Findings: []finding.Finding{
			{Resource: finding.Resource{Key: key}, Severity: severity, Fingerprint: check, Remediation: todo},
		}}
	}
	api, socket := finding.Source{Check: "a/api", Key: "port"}, finding.Source{Check: "a/socket", Key: "file"}
	follows := func(name, beside string, list ...finding.Source) finding.Finding {
		return finding.Finding{
			Resource: finding.Resource{Key: name}, Severity: "high", Fingerprint: name, Follows: list, Beside: beside, Remediation: words("change all of " + name),
		}
	}
	host := func() *finding.Report {
		return &finding.Report{Results: []finding.Result{
			of("a/api", "port", "critical", words("close the port")), of("a/socket", "file", "critical", words("take the file away")),
			{ID: "power/x", Status: finding.Fail, Findings: []finding.Finding{
				follows("one", "", api), follows("both", "", api, socket), follows("more", "change the user", api), follows("gone", "", finding.Source{Check: "a/none", Key: "port"}),
			}},
		}}
	}
	type said struct{ closes, shares []string }
	got := func(r *finding.Report) map[string]said {
		m := map[string]said{}
		for _, a := range Actions(r, fixtures.Host(), nil) {
			slices.Sort(a.Closes)
			m[a.Text] = said{a.Closes, a.Shares}
		}
		return m
	}
	equal := func(name string, got, want map[string]said) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: want %d actions, got %+v", name, len(want), got)
		}
		for text, w := range want {
			if g := got[text]; !slices.Equal(g.closes, w.closes) || !slices.Equal(g.shares, w.shares) {
				t.Errorf("%s: %s: want %+v, got %+v", name, text, w, g)
			}
		}
	}
	equal("as it is", got(host()), map[string]said{
		"close the port":     {[]string{"a/api", "one"}, []string{"both", "more"}},
		"take the file away": {[]string{"a/socket", "both"}, nil},
		"change the user":    {[]string{"more"}, nil},
		"change all of gone": {[]string{"gone"}, nil},
	})
	r := host()
	r.Results[0].Findings[0].Waiver = &finding.Waiver{Reason: "r"}
	if m := got(r); len(m) != 2 || slices.Contains(m["take the file away"].closes, "both") {
		t.Errorf("the cause is accepted, and what follows from it is not told: %+v", m)
	}
	r = host()
	r.Results[0].Findings[0].Remediation[0].Deny = &finding.Deny{Zone: "external", Proto: "tcp", Port: 1}
	if m := got(r); slices.Contains(m["close the port"].closes, "one") {
		t.Errorf("a packet filter ends what processes of the host can do: %+v", m)
	}
}

// TestOneThingIsSaidOnce: an object is left out of what to do by the words of its key, so that names in other words do not make two things of one.
func TestOneThingIsSaidOnce(t *testing.T) {
	r := &finding.Report{Results: []finding.Result{{ID: "a/b", Status: finding.Fail, Findings: []finding.Finding{
		{Resource: finding.Resource{Key: "agent vllm"}, Severity: "high", Fingerprint: "1", Remediation: []finding.Remediation{{Kind: "config", Text: "run vLLM without X"}}},
		{Resource: finding.Resource{Key: "container a"}, Severity: "high", Fingerprint: "2", Remediation: []finding.Remediation{{Kind: "config", Text: "run container a without X"}}},
		{Resource: finding.Resource{Key: "container a"}, Severity: "high", Fingerprint: "3", Remediation: []finding.Remediation{{Kind: "config", Text: "run container a without Y"}}},
	}}}}
	list := Actions(r, fixtures.Host(), nil)
	if len(list) != 2 || list[0].Text != "run vLLM without X; so too container a" || list[1].Text != "run container a without Y" {
		t.Errorf("%+v", list)
	}
}
