package trial

import (
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// TestFlushDuringTheTrial: somebody flushes everything. It is told who, and never loaded again.
func TestFlushDuringTheTrial(t *testing.T) {
	w := newFake(t)
	w.during(10*time.Second, func() { w.foreign("nft", true) })
	_, err, _ := w.fix(Options{By: NewSession})
	w.wantRefused(err, "changed by process 99 (nft)", "taken out again")
	w.wantOut("flushed")
	if n := count(w.steps, "try"); n != 1 {
		t.Errorf("loaded %d times", n)
	}
	w = newFake(t) // before anybody listens
	w.at["listen"] = func() { w.foreign("nft", true); w.changes = nil }
	_, err, _ = w.fix(Options{By: NewSession})
	w.wantRefused(err, "is not there")
	w.wantOut("flushed before anybody listened")
}

func count(list []string, step string) (n int) {
	for _, s := range list {
		if s == step {
			n++
		}
	}
	return n
}

// dockerTable is what dockerd adds for a container: nothing of it is about the host.
var dockerTable = chain("docker", ruleset.Base{Type: "filter", Hook: "forward", Priority: 0, Policy: "accept"}, ruleset.Rule{})

// drops is a firewall that lets nothing in.
var drops = chain("angry", ruleset.Base{Type: "filter", Hook: "input", Priority: 50, Policy: "drop"})

// notrack exempts the API's port from tracking: then the drops, which ask who opened a connection, do not match.
var notrack = chain("raw", ruleset.Base{Type: "filter", Hook: "prerouting", Priority: -300, Policy: "accept"}, ruleset.Rule{Exprs: []ruleset.Expr{
	{Name: "payload", Payload: &ruleset.Payload{Base: ruleset.BaseTransport, Offset: 2, Len: 2, Dreg: 1}},
	{Name: "cmp", Cmp: &ruleset.Cmp{Sreg: 1, Op: ruleset.OpEq, Data: []byte{apiPort >> 8, apiPort & 0xff}}},
	{Name: "notrack", Plain: true},
}})

// TestOtherTablesChangeDuringTheTrial: another firewall is loaded anew, or dockerd adds rules for a container. The trial stays, the
// audit is made again, and the fix can be kept.
func TestOtherTablesChangeDuringTheTrial(t *testing.T) {
	for when, change := range map[string]func(w *fake, do func()){
		"while a login is awaited": func(w *fake, do func()) { w.during(10*time.Second, do) },
		"between load and audit":   func(w *fake, do func()) { w.at["try"] = nil; once(w, "see", do) },
		"after the audit":          func(w *fake, do func()) { once(w, "listen", func() { do(); w.changes = nil }) },
	} {
		w := newFake(t)
		change(w, func() { w.foreign("dockerd", false, dockerTable) })
		w.during(40*time.Second, func() {
			if err := w.world().ConfirmNow(t.Context(), "", true, Options{}); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		})
		if _, err, _ := w.fix(Options{By: NewSession}); err != nil || !w.closed() {
			t.Errorf("%s: %v, closed %v", when, err, w.closed())
		}
		if n := count(w.steps, "see"); when != "between load and audit" && n < 2 {
			t.Errorf("%s: audited %d times", when, n)
		}
	}
	w := newFake(t) // nobody waits: what is kept is what was audited last
	w.tty, w.answer = true, "keep"
	w.at["ask keep"] = func() { w.foreign("dockerd", false, dockerTable) }
	if _, err, _ := w.fix(Options{By: Console}); err != nil || count(w.steps, "see") != 2 {
		t.Errorf("on the console: %v, audited %d times", err, count(w.steps, "see"))
	}
}

// once has something happen in the first step of a name.
func once(w *fake, step string, do func()) {
	w.at[step] = func() {
		w.at[step] = nil
		do()
	}
}

// TestOtherTablesContradict: with what others loaded the fix does not do what was proven.
func TestOtherTablesContradict(t *testing.T) {
	for name, c := range map[string]struct {
		table ruleset.Table
		want  string
	}{
		"it no longer closes": {notrack, "what it closes is"},
		"it no longer keeps":  {drops, "would stop working"},
	} {
		w := newFake(t)
		w.during(10*time.Second, func() { w.foreign("firewalld", false, c.table) })
		_, err, _ := w.fix(Options{By: NewSession})
		w.wantRefused(err, c.want, "by process 99 (firewalld)", "taken out again")
		w.wantOut(name)

		w = newFake(t)
		w.answer, w.tty = "keep", true
		w.at["ask keep"] = func() { w.foreign("firewalld", false, c.table) }
		_, err, _ = w.fix(Options{By: Console})
		w.wantRefused(err, c.want)
		w.wantOut(name + ", on the console")
	}
}

// TestManagementIsDroppedByOthers: an accept of ours cannot help. Ours goes out, and it is told which rule of theirs drops.
func TestManagementIsDroppedByOthers(t *testing.T) {
	w := newFake(t)
	once(w, "start helper", func() { w.at["see"] = func() { w.others = []ruleset.Table{drops} } })
	_, err, _ := w.fix(Options{By: Auto})
	w.wantRefused(err, "tcp/22 from "+admin+"/32 (logged in over SSH) would stop working", "angry")
	w.wantOut("management is dropped")
	if len(w.others) != 1 {
		t.Error("their table was touched")
	}
}

// TestAnInterfaceGetsAnotherName: the rules of all are as they were when the fix is confirmed, and an interface that they name has another name: what
// comes in by it is open.
func TestAnInterfaceGetsAnotherName(t *testing.T) {
	w := newFake(t)
	w.during(40*time.Second, func() {
		host := *w.host
		host.Network.Links = slices.Clone(w.host.Network.Links)
		for i := range host.Network.Links {
			if host.Network.Links[i].Name == "ext0" {
				host.Network.Links[i].Name = "wan9"
			}
		}
		w.host = &host
		w.wantRefused(w.world().ConfirmNow(t.Context(), "", true, Options{}), "interface ext0 is gone")
	})
	_, err, _ := w.fix(Options{By: NewSession})
	if err == nil {
		t.Error("it is kept")
	}
	w.wantOut("an interface has another name")
}

// TestAnInterfaceComesMeanwhile: what is closed stays closed, and who confirms is told that it is open to one that came since it was planned.
func TestAnInterfaceComesMeanwhile(t *testing.T) {
	w := newFake(t)
	w.during(40*time.Second, func() {
		host := *w.host
		host.Network.Links = append(slices.Clone(w.host.Network.Links), snapshot.Link{Index: 90, Name: "wan8", Up: true, Addrs: []string{"198.51.100.2/24"}})
		w.host = &host
		if err := w.world().ConfirmNow(t.Context(), "", true, Options{}); err != nil {
			t.Error(err)
		}
	})
	if _, err, _ := w.fix(Options{By: NewSession}); err != nil {
		t.Error(err)
	}
	for _, words := range []string{"no longer as it was when this was planned", "tcp/2375 from wan8", "interface wan8 (external) is new", "fix apply"} {
		if !w.heard(words) {
			t.Errorf("nobody is told %q: %q", words, w.said)
		}
	}
}
