package trial

import (
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
	"github.com/ringfence/ringfence/replica"
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
	locked bool
	files  map[string]string
	effect map[string]string // what the services read
	// The next boot.
	armed     bool
	persisted *remedy.Plan
	byHand    string
	// The helper.
	helper *helperFake
	// People.
	said   []string
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
	s.SSH.Sessions = []snapshot.SSHSession{{Remote: admin + ":50000", Local: "10.10.0.1:22"}}
	s.NFTables.Ruleset = &ruleset.Ruleset{Stable: true}
	s.Processes.List = []snapshot.Process{{PID: 4, Exe: "/usr/sbin/sshd", ExeWord: snapshot.Word{By: snapshot.ByRoot}}}
	return &fake{
		t: t, host: s, now: int64(time.Hour), boot: 1, generation: 7, files: map[string]string{}, effect: map[string]string{}, at: map[string]func(){},
	}
}

func (w *fake) world() *World {
	return &World{Clock: w, Store: w, Tables: w, Live: w, Files: w, Boot: bootFake{w}, Helper: w, People: w, Host: w}
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
	return w.onDisk(), nil
}

// onDisk is the state as it is written.
func (w *fake) onDisk() *State {
	if w.state == nil {
		return nil
	}
	st := new(State)
	if err := json.Unmarshal(w.state, st); err != nil {
		w.t.Fatal(err)
	}
	return st
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

// The kernel.

// tables are those of a plan as a kernel would tell them, on trial or lasting.
func tables(p *remedy.Plan, trial bool) []ruleset.Table {
	hooks := map[string]ruleset.Base{
		"prerouting": {Type: "filter", Hook: "prerouting", Priority: -160, Policy: "accept"},
		"input":      {Type: "filter", Hook: "input", Priority: -10, Policy: "accept"},
		"forward":    {Type: "filter", Hook: "forward", Priority: -10, Policy: "accept"},
	}
	t := ruleset.Table{Family: ruleset.FamilyInet, Name: remedy.Table}
	if trial {
		t.Name += "_trial"
		t.Sets = []ruleset.Set{{Name: "armed", KeyLen: 1, Elements: []ruleset.Element{{Key: []byte{2}}, {Key: []byte{10}}}}}
	}
	for _, name := range []string{"prerouting", "input", "forward"} {
		base := hooks[name]
		if p.Mode == remedy.DefaultDeny && name != "prerouting" && !trial {
			base.Policy = "drop"
		}
		c := ruleset.Chain{Name: name, Base: &base}
		if trial {
			c.Rules = append(c.Rules, ruleset.Rule{Exprs: []ruleset.Expr{
				{Name: "meta", Meta: &ruleset.Meta{Key: ruleset.MetaNfproto, Dreg: 1}},
				{Name: "lookup", Lookup: &ruleset.Lookup{Set: "armed", Sreg: 1, Invert: true}},
				{Name: "immediate", Immediate: &ruleset.Immediate{Verdict: &ruleset.Verdict{Kind: ruleset.Accept}}},
			}})
		}
		for i := range p.Rules {
			if p.Rules[i].Chain == name {
				c.Rules = append(c.Rules, ruleset.Rule{Exprs: p.Rules[i].Exprs()})
			}
		}
		if slices.ContainsFunc(p.Rules, func(r remedy.Rule) bool { return r.Chain == name }) {
			t.Chains = append(t.Chains, c)
		}
	}
	return []ruleset.Table{t}
}

// without are the tables but for those of a name.
func without(list []ruleset.Table, names ...string) []ruleset.Table {
	return slices.DeleteFunc(slices.Clone(list), func(t ruleset.Table) bool { return slices.Contains(names, t.Name) })
}

const trialName = remedy.Table + "_trial"

// commit is a transaction of ours.
func (w *fake) commit(own []ruleset.Table) {
	w.own = own
	w.generation++
	w.changes = append(w.changes, remedy.Change{Table: trialName, PID: 1, Program: "ringfence"})
}

func (w *fake) Try(p *remedy.Proof, generation uint32, gate time.Duration) error {
	if err := w.step("try"); err != nil {
		return err
	}
	if generation != w.generation {
		return fmt.Errorf("load the plan: %w", remedy.ErrChanged)
	}
	w.expires = w.now + int64(gate)
	w.commit(append(without(w.own, trialName), tables(p.Plan(), true)...))
	return nil
}

func (w *fake) Promote(p *remedy.Plan) error {
	if err := w.step("promote"); err != nil {
		return err
	}
	w.commit(tables(p, false))
	return nil
}

func (w *fake) Reload(p *remedy.Plan) error {
	if err := w.step("reload"); err != nil {
		return err
	}
	w.commit(tables(p, false))
	return nil
}

func (w *fake) Withdraw() error {
	if err := w.step("withdraw"); err != nil {
		return err
	}
	w.commit(without(w.own, trialName))
	return nil
}

func (w *fake) Silence() error {
	if err := w.step("silence"); err != nil {
		return err
	}
	own := slices.Clone(w.own)
	for i := range own {
		own[i].Dormant = own[i].Dormant || own[i].Name == trialName
	}
	w.commit(own)
	return nil
}

func (w *fake) Remove() error {
	if err := w.step("remove"); err != nil {
		return err
	}
	w.commit(nil)
	return nil
}

// loaded is the live ruleset now: the set of a trial that is over is empty.
func (w *fake) loaded() *ruleset.Ruleset {
	rs := &ruleset.Ruleset{Stable: true, Generation: w.generation, Tables: slices.Concat(w.others, w.own)}
	for i := range rs.Tables {
		if t := &rs.Tables[i]; t.Name == trialName && w.now >= w.expires {
			t.Sets = []ruleset.Set{{Name: "armed", KeyLen: 1}}
		}
	}
	return rs
}

func (w *fake) Read(context.Context) (*ruleset.Ruleset, error) {
	return w.loaded(), w.step("read ruleset")
}

func (w *fake) Changes() (Changes, error) {
	w.changes = nil
	return w, w.step("listen")
}

func (w *fake) Close() {}

func (w *fake) Next(_ context.Context, limit time.Duration) (remedy.Change, bool) {
	if len(w.changes) == 0 {
		w.pass(limit)
	}
	if len(w.changes) == 0 {
		return remedy.Change{}, false
	}
	c := w.changes[0]
	w.changes = w.changes[1:]
	return c, true
}

func (w *fake) Cut(context.Context, *remedy.Plan) (int, error) {
	w.cut++
	return 1, w.step("cut")
}

// foreign is what a program does to tables that are not ours, or to all with flush.
func (w *fake) foreign(program string, flush bool, list ...ruleset.Table) {
	w.others = list
	if flush {
		w.own = nil
		w.changes = append(w.changes, remedy.Change{Table: trialName, PID: 99, Program: program})
	}
	w.generation++
	w.changes = append(w.changes, remedy.Change{PID: 99, Program: program})
}

// chain is a table of somebody else's with one chain.
func chain(name string, base ruleset.Base, rules ...ruleset.Rule) ruleset.Table {
	return ruleset.Table{Family: ruleset.FamilyInet, Name: name, Chains: []ruleset.Chain{{Name: "c", Base: &base, Rules: rules}}}
}

// closed says whether the kernel drops what comes to the API from outside.
func closed(rs *ruleset.Ruleset) bool {
	return slices.ContainsFunc(rs.Tables, func(t ruleset.Table) bool {
		ours := t.Name == remedy.Table || t.Name == trialName && len(t.Sets) > 0 && len(t.Sets[0].Elements) > 0
		return ours && !t.Dormant && len(t.Chains) > 0
	})
}

func (w *fake) closed() bool { return closed(w.loaded()) }

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

func (w *fake) Holds(_ context.Context, a *dropin.Applied) error {
	if w.effect[a.File.Path] != a.File.Content {
		return errors.New("another file comes first")
	}
	return w.step("ask service")
}

func (w *fake) TakeBack(_ context.Context, a *dropin.Applied) error {
	if err := w.step("take file back"); err != nil {
		return err
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

func (b bootFake) Persist(_ context.Context, p *remedy.Plan) (Booted, error) {
	if err := b.w.step("persist"); err != nil {
		return Booted{}, err
	}
	b.w.persisted = p
	return Booted{Ruleset: &ruleset.Ruleset{Tables: tables(p, false)}, ByHand: b.w.byHand}, nil
}

func (b bootFake) Unpersist(context.Context) error {
	if err := b.w.step("unpersist"); err != nil {
		return err
	}
	b.w.persisted = nil
	return nil
}

// reboot starts the host again, as systemd does it: the program and the kernel's tables are gone.
func (w *fake) reboot() {
	w.boot, w.now, w.own, w.helper, w.locked, w.later, w.kill = w.boot+1, int64(10*time.Second), nil, nil, false, nil, 0
	w.generation = 1
	if w.persisted != nil {
		w.own = tables(w.persisted, false)
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

// The host.

func (w *fake) See(context.Context) (*snapshot.Snapshot, error) {
	err := w.step("see")
	return w.seen(), err
}

// seen is the host as it is now.
func (w *fake) seen() *snapshot.Snapshot {
	s := *w.host
	if s.NFTables.Ruleset = w.loaded(); w.unreadable {
		s.NFTables.Ruleset = nil
	}
	return &s
}

// unknown has a check be one that cannot be judged.
func (w *fake) unknown(check string) { w.blind = append(w.blind, check) }

// deny is what closes a port to the outside.
func deny(zone string, port int) []finding.Remediation {
	return []finding.Remediation{{Kind: "nft", Text: fmt.Sprint(zone, port), Deny: &finding.Deny{Zone: zone, Proto: "tcp", Port: port}}}
}

func (w *fake) report(s *snapshot.Snapshot) *finding.Report {
	r := new(finding.Report)
	list := append([]extra{
		{
			apiCheck,
			finding.Finding{Message: "the API is open", Severity: "critical", Zone: zones.External, Remediation: deny(zones.External, apiPort)},
			func(s *snapshot.Snapshot) bool { return s.NFTables.Ruleset == nil || !closed(s.NFTables.Ruleset) },
		},
		{sshCheck, finding.Finding{Message: "root logs in", Severity: "high"}, func(*snapshot.Snapshot) bool { return w.effect[sshFile.Path] == "" }},
	}, w.found...)
	for _, c := range reads {
		res := finding.Result{ID: c.check, Status: finding.Pass}
		for _, e := range list {
			if e.check == c.check && (e.when == nil || e.when(s)) {
				f := e.f
				f.Fingerprint = c.check + " " + f.Resource.Key
				res.Status, res.Findings = finding.Fail, append(res.Findings, f)
			}
		}
		if slices.Contains(w.blind, c.check) {
			res = finding.Result{ID: c.check, Status: finding.Unknown, Reason: "a process ended"}
		}
		r.Results = append(r.Results, res)
	}
	return r
}

func (w *fake) Judge(_ context.Context, s *snapshot.Snapshot) (*finding.Report, error) {
	if err := w.step("judge"); err != nil {
		return nil, err
	}
	return w.report(s), nil
}

var sshFile = dropin.File{Service: "sshd", Path: "/etc/ssh/sshd_config.d/00-ringfence.conf", Content: "PermitRootLogin no\n", Want: map[string]string{"PermitRootLogin": "no"}, Closes: []string{sshCheck}}

func (w *fake) Plan(_ context.Context, s *snapshot.Snapshot) (*remedy.Plan, error) {
	if err := w.step("plan"); err != nil {
		return nil, err
	}
	bare := remedy.Without(s)
	p := remedy.Make(w.report(bare), bare, config, w.options)
	if p.Files = nil; w.effect[sshFile.Path] == "" {
		p.Files = slices.Clone(w.dropFiles)
	}
	return p, nil
}

// proofs and holding are what the prover and the model said before: the same of the same.
var (
	proofs  = map[string]*remedy.Proof{}
	holding = map[string]error{}
)

// key is all that a proof of the fake depends on.
func (w *fake) key(p *remedy.Plan) string {
	b, err := json.Marshal([]any{p.Rules, p.Keeps, w.others})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// Prove is remedy's own; the replica answers as its kernel would.
func (w *fake) Prove(ctx context.Context, p *remedy.Plan, s *snapshot.Snapshot) (*remedy.Proof, error) {
	if err := w.step("prove"); err != nil {
		return nil, err
	}
	if w.replica != nil {
		return remedy.Prove(ctx, &remedy.Input{Plan: p, Snapshot: s, Run: w.replica})
	}
	key := w.key(p)
	if proofs[key] == nil {
		proof, err := remedy.Prove(ctx, &remedy.Input{Plan: p, Snapshot: s, Run: answerProbes})
		if err != nil {
			return nil, err
		}
		proofs[key] = proof
	}
	return proofs[key], nil
}

// Proven is remedy's own.
func (w *fake) Proven(ctx context.Context, p *remedy.Proof, before, now *snapshot.Snapshot) error {
	if err := w.step("proven"); err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	key := w.key(p.Plan())
	if _, ok := holding[key]; !ok {
		holding[key] = p.Holds(ctx, before, now)
	}
	return holding[key]
}

// answerProbes is the replica: everything is open before, and afterwards what the plan drops is silent.
func answerProbes(_ context.Context, job []byte) ([]byte, error) {
	var j remedy.Job
	if err := json.Unmarshal(job, &j); err != nil {
		return nil, err
	}
	before, after := map[int]string{}, map[int]string{}
	for _, k := range j.Probes {
		before[k.ID], after[k.ID] = replica.Open, replica.Open
		for i := range j.Plan.Rules {
			r := &j.Plan.Rules[i]
			if r.Iif != k.From || r.Port != int(k.Dst.Port()) || r.Proto != k.Proto || len(r.Sources) > 0 && !slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return p.Contains(k.Src) }) {
				continue
			}
			if !r.Accept {
				after[k.ID] = replica.Silent
			}
			break
		}
	}
	return json.Marshal(remedy.Result{Before: before, After: after, Flushed: after, Trial: tables(j.Plan, true), Lasting: tables(j.Plan, false)})
}

func (w *fake) Reads(check string) []string {
	for _, c := range reads {
		if c.check == check {
			return c.sections
		}
	}
	return nil
}

// fix makes a fix on the fake, and reports whether the program was killed. The lock ends with it.
func (w *fake) fix(o Options) (report *finding.Report, err error, dead bool) {
	w.t.Helper()
	if o.Wait == 0 {
		o.Wait = 2 * time.Minute
	}
	defer func() {
		w.locked = false
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			w.kill, dead = 0, true
		}
	}()
	x := &Fix{World: w.world(), Options: o, Before: w.report(w.seen()), Snapshot: w.seen()}
	report, err = x.Run(w.t.Context())
	return report, err, false
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
