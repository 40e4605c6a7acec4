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
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// stay moves the test's own thread into the host of the bed, for good: what it does with netlink is done
// there.
func (b *bed) stay(f func()) {
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

// collected is the host of the bed as the program sees it.
func (b *bed) collected() *snapshot.Snapshot {
	b.t.Helper()
	out, err := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", binary(b.t), "collect").Output()
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
func (b *bed) prove(plan *remedy.Plan, s *snapshot.Snapshot) (*remedy.Proof, error) {
	messages, err := checks.DumpRuleset(b.t.Context(), host.Local())
	if err != nil {
		return nil, err
	}
	return remedy.Prove(b.t.Context(), &remedy.Input{
		Plan: plan, Snapshot: s, Messages: messages,
		Run: func(ctx context.Context, job []byte) ([]byte, error) {
			var out, errs bytes.Buffer
			cmd := exec.CommandContext(ctx, binary(b.t), "replica")
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

// denied says whether a plan means to close a connection, by its rules in order.
func denied(p *remedy.Plan, iif string, src netip.Addr, port int) bool {
	for i := range p.Rules {
		r := &p.Rules[i]
		inside := len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(x netip.Prefix) bool { return x.Contains(src) })
		if r.Chain == "prerouting" && r.Iif == iif && r.Port == port && inside {
			return !r.Accept
		}
	}
	return false
}

// quickFlows is like flowTable for connections that answer at once or never.
func (b *bed) quickFlows(ports []int) map[string]bool {
	out := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range peers {
		for fam, addrs := range hostAddrs {
			for _, a := range addrs {
				for _, port := range ports {
					wg.Go(func() {
						at := netip.AddrPortFrom(netip.MustParseAddr(a), uint16(port))
						open := b.connects(p.ns, map[string]string{"ipv4": "tcp4", "ipv6": "tcp6"}[fam], at.String())
						mu.Lock()
						defer mu.Unlock()
						out[p.origin+" "+at.String()] = open
					})
				}
			}
		}
	}
	wg.Wait()
	return out
}

// TestRandomPlans makes random plans for a host with random rulesets of others: what is loaded is what was
// planned, twice is once, taken out is as before, what is targeted is closed and nothing else changes.
func TestRandomPlans(t *testing.T) {
	b := newBed(t)
	ports := []int{22, 2375, 8080, 9100}
	for _, p := range ports {
		b.listen("tcp", fmt.Sprintf("[::]:%d", p), "")
	}
	b.listenIn("w1", "tcp4", "172.17.0.2:80", "") // what Docker publishes as 8080
	n, seed := 5, uint64(20261122)
	if s := os.Getenv("RINGFENCE_PLANS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	dumps := []string{"", "docker-published", "podman-netavark", "libvirt-isolated", "fail2ban-nft", "firewalld-zones"}
	seen := b.collected()
	store := remedy.Store{Root: b.root()}
	refused, loaded := map[string]int{}, 0
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		b.loadDump(dumps[r.IntN(len(dumps))])
		b.stay(func() {
			if err := b.randomPlan(r, store, *seen, ports); err != nil {
				var no *notProven
				if errors.As(err, &no) {
					refused[no.Error()]++
					return
				}
				t.Errorf("plan %d: %v", i, err)
				return
			}
			loaded++
		})
	}
	t.Logf("%d plans: %d loaded, not proven: %v", n, loaded, refused)
	if loaded*10 < n*9 {
		t.Errorf("only %d of %d plans could be proven", loaded, n)
	}
}

type notProven struct{ error }

// fromFile loads the plan's text as it is done at boot: that has to be the same table.
func (b *bed) fromFile(proof *remedy.Proof, plan *remedy.Plan, read func() error, s *snapshot.Snapshot) error {
	b.nft(plan.Ruleset)
	defer b.nft(plan.Inverse)
	if err := read(); err != nil {
		return err
	}
	if !proof.Loaded(s.NFTables.Ruleset) {
		return fmt.Errorf("loaded from the file it is another table:\n%s", plan.Ruleset)
	}
	return nil
}

func (b *bed) randomPlan(r *rand.Rand, store remedy.Store, s snapshot.Snapshot, ports []int) error {
	read := func() error {
		rs, err := checks.ReadRuleset(b.t.Context(), host.Local())
		s.NFTables.Ruleset = rs
		return err
	}
	if err := read(); err != nil {
		return err
	}
	opt := remedy.Options{Drain: r.IntN(4) == 0}
	if r.IntN(3) == 0 {
		opt.AllowFrom = []netip.Prefix{netip.MustParsePrefix([]string{"203.0.113.9/32", "172.17.0.0/24", "fd20::/64"}[r.IntN(3)])}
	}
	cfg := zones.Config{"management": {Interfaces: []string{"mgmt0"}}}
	plan := remedy.Make(randomReport(r, ports), &s, cfg, opt)
	if len(plan.Rules) == 0 {
		return nil
	}
	before, was := b.ruleset(), b.quickFlows(ports)
	proof, err := b.prove(plan, &s)
	if err != nil {
		return &notProven{err}
	}
	st, err := store.Begin(proof, time.Minute)
	if err != nil {
		return err
	}
	if err := st.Load(proof, s.NFTables.Ruleset.Generation); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := proof.ReadBackTrial(s.NFTables.Ruleset); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if err := store.Confirm(st, s.NFTables.Ruleset); err != nil {
		return err
	}
	once := b.ruleset()
	if err := st.Reload(); err != nil {
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
	is := b.quickFlows(ports)
	var wrong []string
	var late []string // open now, silent before: where it is open without the plan too, that was a slow answer
	for flow, open := range was {
		iif, at, _ := strings.Cut(flow, " ")
		to := netip.MustParseAddrPort(at)
		src := netip.MustParseAddr(peerAddrs[iif][map[bool]string{true: "ipv4", false: "ipv6"}[to.Addr().Is4()]])
		shut := denied(plan, iif, src, int(to.Port()))
		network := map[bool]string{true: "tcp4", false: "tcp6"}[to.Addr().Is4()]
		switch want := open && !shut; {
		case is[flow] == want:
		case want && b.opens(peerAt[iif], network, at):
		case !shut && !open:
			late = append(late, flow)
		default:
			wrong = append(wrong, fmt.Sprintf("%s is open %v, want %v", flow, is[flow], want))
		}
	}
	if err := store.Undo(nil); err != nil {
		return err
	}
	for _, flow := range late {
		iif, at, _ := strings.Cut(flow, " ")
		if !b.opens(peerAt[iif], map[bool]string{true: "tcp6", false: "tcp4"}[at[0] == '['], at) {
			wrong = append(wrong, flow+" is open with the plan alone")
		}
	}
	if after := b.ruleset(); after != before {
		return fmt.Errorf("taken out it is\n%s\nbefore\n%s", after, before)
	}
	if err := b.fromFile(proof, plan, read, &s); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s\n%s", strings.Join(wrong, "\n"), plan.Ruleset)
	}
	return nil
}
