package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/dropin"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// killed is what a step panics with at which the program is killed.
type killed struct{}

// fake is a machine in memory: a kernel with our tables, whose trial expires; a disk; services; systemd; a person. What a killed program
// leaves stays: the kernel's tables, the disk, the files.
type fake struct {
	t *testing.T

	// The kernel.
	own, others []ruleset.Table
	expires     int64 // when the trial stops
	generation  uint32
	changes     []remedy.Change
	cut         int
	// The clock.
	now  int64
	boot int
	// The disk: what is there after a power cut.
	state  []byte
	read   *State // what was read of it last
	readOf []byte
	whole  []byte // the state that was last found to be whole
	locked bool
	files  map[string]string
	effect map[string]string // what the services read
	// The next boot.
	armed     bool
	persisted *remedy.Plan
	// persistedID is the fix whose plan it is.
	persistedID string
	rehearsed   *remedy.Plan // what is going to be persisted
	loads       bool         // a boot runs this program, not nft
	rehearsedID string
	byHand      string
	strange     []string // files with names of ours that are somebody else's
	// The helper.
	helper *helperFake
	// People.
	said   []string
	alarms []string
	tty    bool
	answer string
	login  int64 // when the login began; 0 is none

	// host is what is seen of it, but for the ruleset; found are findings more, by what they depend on.
	host    *snapshot.Snapshot
	found   []extra
	options remedy.Options
	replica func(ctx context.Context, job []byte) ([]byte, error)
	// blind are checks that cannot be judged; unreadable says that the ruleset cannot be read.
	blind      []string
	blindIf    func(*ruleset.Ruleset) bool
	unreadable bool
	// dropFiles are the files of a plan, of the service layer.
	dropFiles []dropin.File

	// Each thing that is asked or done is a step.
	steps []string
	fail  func(n int, step string) error
	at    map[string]func() // what happens in a step
	kill  int               // the step at which the program is killed; 0 is never
	later []later
}

type helperFake struct {
	id   string
	with bool
}

// extra is a finding that a check has as long as when says so of a snapshot.
type extra struct {
	check string
	f     finding.Finding
	when  func(*snapshot.Snapshot) bool
}

type later struct {
	at int64
	do func()
}

const (
	apiCheck   = "runtime/docker-api-on-tcp"
	sshCheck   = "ssh/root-login-with-password"
	otherCheck = "capability/privileged-container"
	agentCheck = "agent/runs-as-root"
	pubCheck   = remedy.PublishedCheck
)

// reads are the checks of the fake, in the order of a report.
var reads = []struct {
	check    string
	sections []string
}{
	{agentCheck, []string{"agents", "listeners.ip", "network", "nftables", "processes.power"}},
	{otherCheck, []string{"processes.power", "runtimes", "agents"}},
	{pubCheck, []string{"network", "nftables"}},
	{apiCheck, []string{"listeners.ip", "network", "nftables", "processes.power", "agents", "runtimes"}},
	{sshCheck, []string{"ssh.configs", "ssh.servers"}},
}

var config = zones.Config{zones.Management: {Interfaces: []string{"mgmt0"}}, zones.External: {Interfaces: []string{"ext0"}}}

const (
	apiPort = 2375
	admin   = "10.10.0.9"
)

// newFake is a host whose runtime API is open to the outside, with somebody logged in over SSH.
func newFake(t *testing.T) *fake {
	t.Helper()
	s := fixtures.Host()
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: admin + ":50000", Local: "10.10.0.1:22", LoggedIn: snapshot.Yes}}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Processes.List = []snapshot.Process{{PID: 4, Exe: "/usr/sbin/sshd", ExeWord: snapshot.Word{By: snapshot.ByRoot}}}
	return &fake{
		t: t, host: s, now: int64(time.Hour), boot: 1, generation: 7, files: map[string]string{}, effect: map[string]string{}, at: map[string]func(){},
	}
}

func (w *fake) world() *World {
	return &World{Clock: w, Store: w, Tables: w, Live: w, Files: w, Boot: bootFake{w}, Helper: w, People: w, Alarm: w, Sight: w, Host: w}
}

// step is one of them: it can fail, or be the last.
func (w *fake) step(name string) error {
	w.steps = append(w.steps, name)
	if len(w.steps) == w.kill {
		panic(killed{})
	}
	if do := w.at[name]; do != nil {
		do()
	}
	if w.fail != nil {
		return w.fail(len(w.steps), name)
	}
	return nil
}

// during has something happen a time after now, while somebody waits.
func (w *fake) during(d time.Duration, do func()) {
	w.later = append(w.later, later{w.now + int64(d), do})
	slices.SortStableFunc(w.later, func(a, b later) int { return int(min(1, max(-1, a.at-b.at))) })
}

// pass lets time pass.
func (w *fake) pass(d time.Duration) {
	end := w.now + int64(d)
	for len(w.later) > 0 && w.later[0].at <= end {
		next := w.later[0]
		w.later = w.later[1:]
		w.now = max(w.now, next.at)
		next.do()
	}
	w.now = max(w.now, end)
}

// The clock.

func (w *fake) Here() (Moment, error) {
	return Moment{fmt.Sprint("boot ", w.boot), "net:[1]", w.now}, w.step("clock")
}

func (w *fake) Lives(netns string) bool { return netns == "net:[2]" }

func (w *fake) Sleep(d time.Duration) { w.pass(d) }

// The disk.

func (w *fake) Lock() (func(), error) {
	if err := w.step("lock"); err != nil {
		return nil, err
	}
	if w.locked {
		return nil, ErrBusy
	}
	w.locked = true
	return func() { w.locked = false }, nil
}

func (w *fake) Load() (*State, error) {
	if err := w.step("load state"); err != nil {
		return nil, err
	}
	if w.state != nil && (w.whole == nil || !bytes.Equal(w.whole, w.state)) {
		if !json.Valid(w.state) {
			return nil, &DamagedError{errors.New("unexpected end of JSON input")}
		}
		w.whole = slices.Clone(w.state)
	}
	return w.onDisk(), nil
}

// onDisk is the state as it is written.
func (w *fake) onDisk() *State {
	if w.state == nil {
		return nil
	}
	if w.read == nil || !bytes.Equal(w.readOf, w.state) {
		st := new(State)
		if err := json.Unmarshal(w.state, st); err != nil {
			w.t.Fatal(err)
		}
		w.read, w.readOf = st, w.state
		if st.Before != nil || len(st.Files) > 0 { // these are changed by who reads them
			w.read = nil
			return st
		}
	}
	st := *w.read
	return &st
}

func (w *fake) Save(st *State) error {
	if err := w.step("save " + st.Phase); err != nil {
		return err
	}
	b, err := json.MarshalIndent(st, "", " ")
	w.state = b
	return err
}

func (w *fake) Forget() error {
	if err := w.step("forget"); err != nil {
		return err
	}
	w.state = nil
	return nil
}

func (w *fake) Clear() error { return w.step("clear") }

// Files of services.

func (w *fake) Record(f *dropin.File) (*dropin.Applied, error) {
	a := &dropin.Applied{File: *f}
	if old, ok := w.files[f.Path]; ok {
		a.Old = &old
	}
	return a, w.step("record file")
}

func (w *fake) Place(_ context.Context, a *dropin.Applied) error {
	w.files[a.File.Path] = a.File.Content
	if err := w.step("place file"); err != nil {
		return err
	}
	w.effect[a.File.Path] = a.File.Content
	return w.step("reload service")
}

func (w *fake) Changed(a *dropin.Applied) bool {
	now, there := w.files[a.File.Path]
	return there && now != a.File.Content && (a.Old == nil || now != *a.Old)
}

func (w *fake) Holds(_ context.Context, a *dropin.Applied) error {
	if w.effect[a.File.Path] != a.File.Content {
		return errors.New("another file comes first")
	}
	return w.step("ask service")
}

func (w *fake) TakeBack(ctx context.Context, a *dropin.Applied) error {
	if err := errors.Join(w.step("take file back"), ctx.Err()); err != nil {
		return err
	}
	if w.Changed(a) {
		w.files[a.File.Path+".changed"] = w.files[a.File.Path]
	}
	delete(w.files, a.File.Path)
	if a.Old != nil {
		w.files[a.File.Path] = *a.Old
	}
	w.effect[a.File.Path] = w.files[a.File.Path]
	return nil
}

// The next boot.

type bootFake struct{ w *fake }

func (b bootFake) Arm() error {
	if err := b.w.step("arm"); err != nil {
		return err
	}
	b.w.armed = true
	return nil
}

func (b bootFake) Disarm() error {
	if err := b.w.step("disarm"); err != nil {
		return err
	}
	b.w.armed = false
	return nil
}

func (b bootFake) Rehearse(_ context.Context, p *remedy.Plan, id string) (Booted, error) {
	b.w.rehearsed, b.w.rehearsedID = p, id
	return Booted{Ruleset: &ruleset.Ruleset{Tables: tables(p, false)}, ByHand: b.w.byHand}, b.w.step("rehearse")
}

func (b bootFake) Persist(context.Context, *Booted) error {
	if err := b.w.step("persist"); err != nil {
		return err
	}
	if len(b.w.strange) > 0 {
		return &StrangeError{b.w.strange}
	}
	b.w.persisted, b.w.persistedID = b.w.rehearsed, b.w.rehearsedID
	return nil
}

func (b bootFake) Persists(_ *remedy.Plan, id string) (some bool, lacks string) {
	if b.w.persisted == nil || id != "" && b.w.persistedID != id && !b.w.loads {
		lacks = "the rules are not there"
	}
	return b.w.persisted != nil, lacks
}

func (b bootFake) Unpersist(context.Context) error {
	if err := b.w.step("unpersist"); err != nil {
		return err
	}
	b.w.persisted = nil
	return nil
}

func (b bootFake) Strange() []string { return slices.Clone(b.w.strange) }

func (b bootFake) Delete(list ...string) error {
	b.w.strange = slices.DeleteFunc(b.w.strange, func(s string) bool { return slices.Contains(list, s) })
	return b.w.step("delete files")
}

// reboot starts the host again, as systemd does it: the program and the kernel's tables are gone.
func (w *fake) reboot() {
	w.boot, w.now, w.own, w.helper, w.locked, w.later, w.kill = w.boot+1, int64(10*time.Second), nil, nil, false, nil, 0
	w.generation = 1
	if w.persisted != nil {
		w.own = marked(w.persisted, false, w.persistedID)
	}
	if w.armed {
		if err := w.world().TakeOut(w.t.Context(), true); err != nil {
			w.t.Errorf("at boot: %v", err)
		}
	}
}

// The helper.

func (w *fake) Ready() error { return w.step("ready") }

func (w *fake) Start(id string, with bool) error {
	if err := w.step("start helper"); err != nil {
		return err
	}
	w.helper = &helperFake{id, with}
	return nil
}

// watch lets the helper do its work until it ends; gone says that the program ended.
func (w *fake) watch(gone bool) error {
	if w.helper == nil {
		return nil
	}
	h := w.helper
	return w.world().Watch(w.t.Context(), h.id, func() bool { return h.with && gone })
}

// People.

func (w *fake) Say(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) }
func (w *fake) Raise(text string)              { w.alarms = append(w.alarms, text) }
func (w *fake) Show(*remedy.Plan)              {}
func (w *fake) ShowFile(*dropin.File)          {}
func (w *fake) Terminal() bool                 { return w.tty }

func (w *fake) Login() (string, int64, error) {
	if w.login == 0 {
		return "", 0, w.step("login")
	}
	return "sshd", w.login, w.step("login")
}

func (w *fake) Ask(ctx context.Context, question, want string, limit time.Duration) bool {
	_ = w.step("ask " + strings.Fields(question)[0])
	if w.answer == "" {
		w.pass(limit)
	}
	return ctx.Err() == nil && (w.answer == "yes" || w.answer == want)
}

// heard says whether people were told something.
func (w *fake) heard(text string) bool {
	return slices.ContainsFunc(w.said, func(s string) bool { return strings.Contains(s, text) })
}

// fix makes a fix on the fake, and reports whether the program was killed. The lock ends with it.
func (w *fake) fix(o Options) (report *finding.Report, err error, dead bool) {
	w.t.Helper()
	if o.Wait == 0 {
		o.Wait = 2 * time.Minute
	}
	o.Judged = &Judged{Config: "as before"}
	x := &Fix{World: w.world(), Options: o, Before: w.report(w.seen()), Snapshot: w.seen()}
	dead = w.dies(func() { report, err = x.Run(w.t.Context()) })
	return report, err, dead
}

// dies runs a verb, and reports whether the program was killed in it.
func (w *fake) dies(verb func()) (dead bool) {
	defer func() {
		w.locked = false
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			w.kill, dead = 0, true
		}
	}()
	verb()
	return false
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// told is tables as a state has them: without names and handles.
func told(t *testing.T, list []ruleset.Table) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(list)
	var clean []ruleset.Table
	if err == nil {
		err = json.Unmarshal(b, &clean)
	}
	for i := range clean {
		clean[i].Name, clean[i].Handle = "", 0
		for j := range clean[i].Chains {
			for k := range clean[i].Chains[j].Rules {
				clean[i].Chains[j].Rules[k].Handle = 0
			}
		}
	}
	if err == nil {
		b, err = json.Marshal(clean)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}
