//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// TestConfigurationIsDecodedOnce: gateways that share a text share the work, and what is kept of it is bounded.
func TestConfigurationIsDecodedOnce(t *testing.T) {
	s := filesOf(t, nil)
	var agents strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&agents, "{id:'a%04d',sandbox:{mode:'off'}},", i)
	}
	text := []byte("{gateway:{port:7,auth:{token:'x'}},agents:{defaults:{sandbox:{mode:'all'}},list:[" + agents.String() + "]}}")
	for range 300 {
		cfg := &snapshot.OpenClawConfig{Path: "/c.json", Sandbox: "off"}
		if err := s.applyOpenClaw(text, cfg); err != nil {
			t.Fatal(err)
		}
		if cfg.Port != 7 || !cfg.SecretSet || cfg.Sandbox != "all" {
			t.Fatalf("%+v", cfg)
		}
		if n := len(cfg.WeakAgents); n != maxWeakAgents+1 || cfg.WeakAgents[n-1] != "and 2900 others" {
			t.Fatalf("%d agents, the last is %q", n, cfg.WeakAgents[n-1])
		}
	}
	for range 2 {
		if err := s.applyOpenClaw([]byte("{gateway: "), &snapshot.OpenClawConfig{Path: "/d.json"}); err == nil || !strings.HasPrefix(err.Error(), "/d.json: ") {
			t.Errorf("a malformed one: %v", err)
		}
	}
	if len(s.configs) != 2 {
		t.Errorf("%d texts were decoded, not 2", len(s.configs))
	}
}

// TestTimeOfSpecificationsIsOfParties: one user's specifications come to an end of that user's time; root's are read whatever they take.
func TestTimeOfSpecificationsIsOfParties(t *testing.T) {
	s := filesOf(t, map[string]string{"run/c/config.json": "{}"})
	f := &containerFinder{s: s, out: new(Outcome), found: map[string]*snapshot.Container{}, clock: newClock()}
	ago := time.Now().Add(-time.Hour)
	f.clock.start = ago
	f.clock.charge(uidParty(0), ago)
	f.clock.charge(uidParty(1001), ago)
	for uid, want := range map[int]error{0: nil, 1001: errTime, 1002: nil} {
		f.under, f.whose = snapshot.WordOf(uid), uidParty(uid)
		if _, _, err := f.read("/run/c/config.json", snapshot.Word{By: snapshot.ByRoot}); errors.Is(err, errTime) != (want != nil) {
			t.Errorf("uid %d: %v, not %v", uid, err, want)
		}
	}
	f.under, f.whose = snapshot.WordOf(1001), uidParty(1001)
	f.add("runc", "x", "/run/c/config.json", snapshot.Word{By: snapshot.ByRoot}, 0)
	if c := f.found["uid1001:*"]; c == nil || c.Unread != errTime.Error() || len(f.found) != 1 || f.out.status != "" {
		t.Errorf("%v, %+v: the user has containers of which nothing is known", f.found, f.out)
	}
}
