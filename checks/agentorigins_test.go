//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestEverySite: a list of sites is open if one of them stands for all.
func TestEverySite(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		runtime, environ string
		argv             []string
		want             string
	}{
		{"ollama", "OLLAMA_ORIGINS=*", nil, "any"},
		{"ollama", "OLLAMA_ORIGINS=https://a.example,http://*", nil, "any"},
		{"ollama", "OLLAMA_ORIGINS=https://*.example", nil, ""},
		{"ollama", "HOME=/", nil, ""},
		{"jupyter", "", []string{"jupyter-lab", "--ServerApp.allow_origin=*"}, "any"},
		{"jupyter", "", []string{"jupyter-lab", "--ServerApp.allow_origin=https://a.example"}, ""},
	} {
		s, _ := tree(t, map[string]string{"proc/7/environ": c.environ + "\x00"})
		p := &process{argv: c.argv}
		p.PID = 7
		if f := s.originsOf(patternOf(patterns, c.runtime), p); f == nil || f.Value != c.want {
			t.Errorf("%s %q %q: %+v, want %q", c.runtime, c.environ, c.argv, f, c.want)
		}
	}
	if f := new(Scan).originsOf(patternOf(patterns, "ray"), new(process)); f != nil {
		t.Errorf("of which nothing is known: %+v", f)
	}
	cfg := new(snapshot.OpenClawConfig)
	if err := parseOpenClaw([]byte(`{gateway: {controlUi: {allowedOrigins: ["https://a", "*"]}}, discovery: {mdns: {mode: "full"}}}`), cfg); err != nil || !cfg.AnyOrigin || cfg.MDNS != "full" {
		t.Errorf("%+v %v", cfg, err)
	}
}
