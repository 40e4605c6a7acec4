//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/checks"
	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/trial"
	"github.com/ringfence/ringfence/zones"
)

// stay moves the test's own thread into the host of the bed, for good: what it does with netlink is done
// there.
func (b *testbed) stay(f func()) {
	b.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		fd, err := os.Open("/run/netns/" + b.name + "host")
		if err == nil {
			err = unix.Setns(int(fd.Fd()), unix.CLONE_NEWNET)
			fd.Close()
		}
		if err != nil {
			b.t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// world is this host with the state and the files of the bed, of a thread that is in it.
func (b *testbed) world() *trial.World {
	return trial.OnThisHost(b.root(), nil, nil, nil)
}

// collected is the host of the bed as the program sees it.
func (b *testbed) collected() *snapshot.Snapshot {
	b.t.Helper()
	out, err := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", bed.Program(b.t), "collect").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := snapshot.Load(bytes.NewReader(out))
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// prove proves a plan with the program as the child.
func (b *testbed) prove(plan *remedy.Plan, s *snapshot.Snapshot) (*remedy.Proof, error) {
	messages, err := checks.DumpRuleset(b.t.Context(), host.Local())
	if err != nil {
		return nil, err
	}
	return remedy.Prove(b.t.Context(), &remedy.Input{
		Plan: plan, Snapshot: s, Messages: messages,
		Run: func(ctx context.Context, job []byte) ([]byte, error) {
			var out, errs bytes.Buffer
			cmd := exec.CommandContext(ctx, bed.Program(b.t), "replica")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(job), &out, &errs
			host.NewNetns(cmd)
			if err := cmd.Run(); err != nil {
				return nil, fmt.Errorf("%w: %s", err, errs.Bytes())
			}
			return out.Bytes(), nil
		},
	})
}

// randomReport finds some of the ports open to some of the zones.
func randomReport(r *rand.Rand, ports []int) *finding.Report {
	res := finding.Result{ID: "random/finding", Status: finding.Fail}
	for i := range 1 + r.IntN(4) {
		d := &finding.Deny{Zone: []string{"external", "workload"}[r.IntN(2)], Proto: "tcp", Port: ports[r.IntN(len(ports))]}
		if r.IntN(5) == 0 {
			d = &finding.Deny{Zone: "workload", ToZone: "management"}
		}
		res.Findings = append(res.Findings, finding.Finding{
			Message: "open", Fingerprint: strconv.Itoa(i), Remediation: []finding.Remediation{{Kind: "nft", Deny: d}},
		})
	}
	return &finding.Report{Results: []finding.Result{res}}
}

// place is where a connection begins or ends: a namespace, the host's interface and the port of its bridge that lead there.
type place struct {
	ns, link, port string
	addrs          map[bool]netip.Addr // by whether it is IPv4
}

var places = []place{
	{"mgmt", "mgmt0", "", both("10.10.0.9", "fd10::9")},
	{"ext", "ext0", "", both("203.0.113.9", "fd20::9")},
	{"w1", "docker0", "vethw1", both("172.17.0.2", "fd17::2")},
	{"w2", "docker0", "vethw2", both("172.17.0.3", "fd17::3")},
}

func both(v4, v6 string) map[bool]netip.Addr {
	return map[bool]netip.Addr{true: netip.MustParseAddr(v4), false: netip.MustParseAddr(v6)}
}

// link is a connection, to a place behind the host or, where that is nil, to the host itself.
type link struct {
	from, to *place
	at       netip.AddrPort
}

func (l link) network() string {
	return map[bool]string{true: "tcp4", false: "tcp6"}[l.at.Addr().Is4()]
}

// String is the connection in one line.
func (l link) String() string { return l.from.ns + " > " + l.at.String() }

// links are the connections from every place to the host's ports, and to a port of every other place.
func links(ports []int) (list []link) {
	for i := range places {
		from := &places[i]
		for _, addrs := range hostAddrs {
			for _, a := range addrs {
				for _, port := range ports {
					list = append(list, link{from, nil, netip.AddrPortFrom(netip.MustParseAddr(a), uint16(port))})
				}
			}
		}
		for j := range places {
			if i != j {
				for _, a := range places[j].addrs {
					list = append(list, link{from, &places[j], netip.AddrPortFrom(a, 80)})
				}
			}
		}
	}
	return list
}

// denied says whether a plan means to close a connection, by its rules in the order that a packet meets them.
func denied(p *remedy.Plan, l link) bool {
	var chains []string
	switch {
	case l.to != nil && l.from.link == l.to.link:
		chains = []string{"bridge-forward"}
	case l.from.port != "":
		chains = []string{"bridge-prerouting", "bridge-input"}
	}
	if l.to == nil {
		chains = append(chains, "prerouting")
	} else if l.from.link != l.to.link {
		chains = append(chains, "forward")
	}
	if p.Mode == remedy.DefaultDeny && l.to == nil {
		chains = append(chains, "input")
	}
	for _, chain := range chains {
		policy := p.Mode == remedy.DefaultDeny && (chain == "input" || chain == "forward")
		i := slices.IndexFunc(p.Rules, func(r remedy.Rule) bool { return r.Chain == chain && matches(&r, l) })
		if i < 0 && policy || i >= 0 && !p.Rules[i].Accept {
			return true
		}
	}
	return false
}

// matches says whether a rule is about the first packet of a connection.
func matches(r *remedy.Rule, l link) bool {
	src := l.from.addrs[l.at.Addr().Is4()]
	in, out := l.from.link, ""
	if l.to != nil {
		out = l.to.link
	}
	if strings.HasPrefix(r.Chain, "bridge-") {
		if in = l.from.port; l.to != nil {
			out = l.to.port
		}
	}
	contains := func(list []netip.Prefix, a netip.Addr) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(x netip.Prefix) bool { return x.Contains(a) })
	}
	switch {
	case r.Kind != "" && r.Kind != "opening", r.Proto != "" && r.Proto != "tcp": // about what is no first packet, or none of TCP
		return false
	case r.Iif != "" && r.Iif != in, slices.Contains(r.NotIif, in), r.Oif != "" && r.Oif != out, slices.Contains(r.NotOif, out):
		return false
	case len(r.Iifs) > 0 && !slices.Contains(r.Iifs, in), len(r.Oifs) > 0 && !slices.Contains(r.Oifs, out), r.Apart && in == out:
		return false
	}
	return (r.Port == 0 || r.Port == int(l.at.Port())) && contains(r.Sources, src) && contains(r.To, l.at.Addr())
}

// quickFlows is like flowTable for connections that answer at once or never.
func (b *testbed) quickFlows(list []link) map[link]bool {
	out := map[link]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, l := range list {
		wg.Go(func() {
			open := b.connects(l.from.ns, l.network(), l.at.String())
			mu.Lock()
			defer mu.Unlock()
			out[l] = open
		})
	}
	wg.Wait()
	return out
}

// TestRandomPlans makes random plans for a host with random rulesets of others: what is loaded is what was
// planned, twice is once, taken out is as before, what is targeted is closed and nothing else changes.
func TestRandomPlans(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	ports := []int{22, 2375, 8080, 9100}
	for _, p := range ports {
		b.listen("tcp", fmt.Sprintf("[::]:%d", p), "")
	}
	for _, p := range places { // of w1 it is what Docker publishes as 8080
		b.listenIn(p.ns, "tcp", "[::]:80", "")
	}
	n, seed := 5, uint64(20261122)
	if s := os.Getenv("RINGFENCE_PLANS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	dumps := []string{"", "docker-published", "podman-netavark", "libvirt-isolated", "fail2ban-nft", "firewalld-zones", "kube-proxy-nftables", "kube-proxy-iptables"}
	seen := b.collected()
	w := b.world()
	refused, loaded, unclear := map[string]int{}, 0, 0
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		dump := dumps[r.IntN(len(dumps))]
		b.loadDump(dump)
		if r.IntN(4) == 0 {
			b.nft(untracking)
		}
		b.stay(func() {
			if err := b.randomPlan(r, w, *seen, ports, dump != ""); err != nil {
				var no *notProven
				if errors.As(err, &no) {
					refused[no.Error()]++
					if strings.Contains(no.Error(), "br_netfilter") { // the model says that it does not know
						unclear++
					}
					return
				}
				t.Errorf("plan %d: %v", i, err)
				return
			}
			loaded++
		})
	}
	t.Logf("%d plans: %d loaded, not proven: %v", n, loaded, refused)
	if loaded*10 < (n-unclear)*9 {
		t.Errorf("only %d of %d plans could be proven", loaded, n-unclear)
	}
}

type notProven struct{ error }

// untracking exempts a port of the host, and what it leads to, from connection tracking, in both directions.
const untracking = `table inet untracking {
	chain prerouting { type filter hook prerouting priority -300; tcp dport { 80, 2375 } notrack; tcp sport { 80, 2375 } notrack; }
	chain output { type filter hook output priority -300; tcp sport { 80, 2375 } notrack; }
}
`

// fromFile loads the plan's text as it is done at boot: that has to be the same rules.
func (b *testbed) fromFile(st *trial.State, read func() error, s *snapshot.Snapshot) error {
	b.nft(st.Plan.Ruleset)
	defer b.nft(st.Plan.Inverse)
	if err := read(); err != nil {
		return err
	}
	if err := st.Boots(&trial.Booted{Ruleset: s.NFTables.Ruleset}); err != nil {
		return fmt.Errorf("%w:\n%s", err, st.Plan.Ruleset)
	}
	return st.Drift(s.NFTables.Ruleset)
}

// randomPlan plans and applies. Where others translate, the baseline lets pass what they publish, which is not asked about.
func (b *testbed) randomPlan(r *rand.Rand, w *trial.World, s snapshot.Snapshot, ports []int, translated bool) error {
	read := func() error {
		rs, err := checks.ReadRuleset(b.t.Context(), host.Local())
		s.NFTables.Ruleset = rs
		return err
	}
	if err := read(); err != nil {
		return err
	}
	opt := remedy.Options{Drain: r.IntN(4) == 0}
	if r.IntN(4) == 0 {
		opt.Mode = remedy.DefaultDeny
	}
	if r.IntN(3) == 0 {
		opt.AllowFrom = []netip.Prefix{netip.MustParsePrefix([]string{"203.0.113.9/32", "172.17.0.0/24", "fd20::/64"}[r.IntN(3)])}
	}
	cfg := []zones.Config{
		{"management": {Interfaces: []string{"mgmt0"}}},
		{"management": {Interfaces: []string{"mgmt0"}}, "external": {Interfaces: []string{"ext0", "vethw1"}}},
		{"management": {Interfaces: []string{"mgmt0", "vethw2"}}},
	}[max(0, r.IntN(4)-1)]
	plan := remedy.Make(randomReport(r, ports), &s, cfg, opt)
	if len(plan.Rules) == 0 {
		return nil
	}
	before, was := b.ruleset(), b.quickFlows(links(ports))
	proof, err := b.prove(plan, &s)
	if err != nil {
		return &notProven{err}
	}
	st, err := w.Begin(proof, &trial.Options{Wait: time.Minute})
	if err != nil {
		return err
	}
	if err := w.Load(st, proof, s.NFTables.Ruleset.Generation); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := proof.ReadBackTrial(s.NFTables.Ruleset); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if err := w.Confirm(b.t.Context(), st); err != nil {
		return err
	}
	once := b.ruleset()
	if err := w.Reload(b.t.Context(), st); err != nil {
		return err
	}
	if twice := b.ruleset(); twice != once {
		return fmt.Errorf("loaded twice it is\n%s\nonce\n%s", twice, once)
	}
	if err := read(); err != nil {
		return err
	}
	if !proof.Loaded(s.NFTables.Ruleset) {
		return errors.New("confirmed, but not what was planned")
	}
	if kept, err := w.Store.Load(); err != nil {
		return err
	} else if err := kept.Plan.StillCloses(b.t.Context(), &s); err != nil { // as verify asks, of the plan as it was written down
		return fmt.Errorf("just confirmed: %w", err)
	}
	is := b.quickFlows(links(ports))
	var wrong []string
	var late []link // open now, silent before: where it is open without the plan too, that was a slow answer
	for l, open := range was {
		shut := denied(plan, l)
		switch want := open && !shut; {
		case is[l] == want:
		case want && b.opens(l.from.ns, l.network(), l.at.String()):
		case plan.Mode == remedy.DefaultDeny && translated && l.to == nil && l.at.Port() == 8080:
		case !shut && !open:
			late = append(late, l)
		default:
			wrong = append(wrong, fmt.Sprintf("%s is open %v, want %v", l, is[l], want))
		}
	}
	if err := w.Undo(b.t.Context(), nil); err != nil {
		return err
	}
	for _, l := range late {
		if !b.opens(l.from.ns, l.network(), l.at.String()) {
			wrong = append(wrong, l.String()+" is open with the plan alone")
		}
	}
	if after := b.ruleset(); after != before {
		return fmt.Errorf("taken out it is\n%s\nbefore\n%s", after, before)
	}
	if err := b.fromFile(st, read, &s); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s\n%s", strings.Join(wrong, "\n"), plan.Ruleset)
	}
	return nil
}
