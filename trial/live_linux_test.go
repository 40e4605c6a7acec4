//go:build linux && !ringfence_portable

package trial

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
)

// TestLogin: this process belongs to no login, or to one that began before it.
func TestLogin(t *testing.T) {
	program, start, err := Login(os.Getpid())
	here, cerr := bootClock{}.Here()
	now := here.Now
	if err != nil || cerr != nil || program != "" && (start <= 0 || start > now) {
		t.Errorf("%q %d (now %d) %v %v", program, start, now, err, cerr)
	}
	if _, _, err := Login(1 << 30); err == nil {
		t.Error("a process that does not exist has a login")
	}
}

// TestStateSurvivesTheFile: what was compared before the state was written compares the same after.
func TestStateSurvivesTheFile(t *testing.T) {
	s := Disk{Root: t.TempDir()}
	if st, err := s.Load(); st != nil || err != nil {
		t.Fatalf("%v %v", st, err)
	}
	tables := []ruleset.Table{{Family: ruleset.FamilyInet, Name: remedy.Table, Chains: []ruleset.Chain{{Name: "c", Base: &ruleset.Base{}, Rules: []ruleset.Rule{{Handle: 7}}}}}}
	if err := s.Save(&State{ID: "a", Phase: PhaseConfirmed, Plan: &remedy.Plan{}, Lasting: told(t, tables)}); err != nil {
		t.Fatal(err)
	}
	st, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	tables[0].Chains[0].Rules[0].Handle = 9
	rs := &ruleset.Ruleset{Tables: tables}
	if err := st.Drift(rs); err != nil {
		t.Errorf("a new handle is drift: %v", err)
	}
	rs.Tables[0].Chains[0].Rules = append(rs.Tables[0].Chains[0].Rules, ruleset.Rule{})
	if err := st.Drift(rs); err == nil || !strings.Contains(err.Error(), "2 rules, not 1") {
		t.Errorf("a rule more is no drift: %v", err)
	}
	damage := func(name, text string) {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, broken := range []string{"", "{", "{}", `{"id":"a","phase":"odd","plan":{}}`, "null", `{"id":"a","phase":"trial","plan":{},"before":{"id":"b"}}`} {
		damage(stateFile, broken)
		if st, err := s.Load(); err != nil || st.ID != "a" {
			t.Errorf("%q: the copy is not read: %v", broken, err)
		}
	}
	if err := os.Remove(s.path(stateFile)); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Load(); err != nil || st == nil {
		t.Errorf("of a lost state the copy is not read: %v", err)
	}
	damage(stateFile, "{")
	damage(copyFile, "{")
	if _, err := s.Load(); !errors.As(err, new(*DamagedError)) {
		t.Errorf("a broken state is read: %v", err)
	}
	if err := s.Forget(); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Load(); st != nil || err != nil {
		t.Errorf("after it was forgotten: %v %v", st, err)
	}
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
}

// TestNamespaceLives: that of this process does, and one that nobody has does not.
func TestNamespaceLives(t *testing.T) {
	here, err := bootClock{}.Here()
	if err != nil || !(bootClock{}).Lives(here.Netns) || (bootClock{}).Lives("net:[7]") {
		t.Errorf("%+v %v", here, err)
	}
}
