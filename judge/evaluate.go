package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/metrics"
	"strings"
	"time"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/words"
)

// limits bound the evaluation of policies. Built-in policies are evaluated before those of the user, and each
// of the two sets has its own time, so that no policy of the user takes it from a built-in one.
type limits struct {
	policy time.Duration // of one policy
	set    time.Duration // of all policies of a set together
	grace  time.Duration // for a function that does not ask whether it should end
	memory uint64        // bytes of live heap that one policy may add
}

var defaults = limits{policy: 20 * time.Second, set: 2 * time.Minute, grace: time.Second, memory: 1 << 30}

// answer is what the package of a policy evaluates to. Private rules begin with "_".
type answer struct {
	Finding       []toldFinding     `json:"finding"`
	Unknown       []finding.Unclear `json:"unknown"`
	NotApplicable string            `json:"not_applicable"`
}

// toldFinding is a finding as a policy tells it.
type toldFinding struct {
	Resource    finding.Resource      `json:"resource"`
	Message     string                `json:"message"`
	Severity    string                `json:"severity"`
	Zone        string                `json:"zone"`
	Evidence    []string              `json:"evidence"`
	Witness     string                `json:"witness"`
	Steps       []string              `json:"steps"`
	Remediation []finding.Remediation `json:"remediation"`
	Follows     []finding.Source      `json:"follows"`
	Beside      string                `json:"beside"`
}

// valid refuses an answer with words that are not of the vocabulary: a finding of an unknown severity would be in no list.
func (a *answer) valid(c *Check) error {
	for _, f := range a.Finding {
		if f.Severity != "" && finding.Rank(f.Severity) >= len(finding.Severities) {
			return fmt.Errorf("a finding has the severity %q", f.Severity)
		}
		if c.Builtin { // a test holds what they say to the vocabulary
			continue
		}
		if f.Message == "" {
			return errors.New("a finding has no message")
		}
		if f.Resource.Kind != "" {
			if err := c.knownKind(f.Resource.Kind); err != nil {
				return err
			}
		}
		for _, r := range f.Remediation {
			if err := knownRemediation(r.Kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// evaluator evaluates policies over one document, which is converted once for all of them.
type evaluator struct {
	policies *Policies
	input    *ast.Term
	store    storage.Store
	given    map[string]any         // parameters of the configuration
	left     map[bool]time.Duration // time of the built-in policies (true) and of the others
	work     chan func()            // what its goroutine does: a new one for each policy would grow its stack again each time
}

// do has the evaluator's goroutine do something.
func (e *evaluator) do(f func()) {
	if e.work == nil {
		work := make(chan func(), 1)
		go func() {
			for f := range work {
				f()
			}
		}()
		e.work = work
	}
	e.work <- f
}

// end ends the evaluator's goroutine with what it does.
func (e *evaluator) end() {
	if e.work != nil {
		close(e.work)
		e.work = nil
	}
}

func (p *Policies) evaluator(doc *Document, params map[string]any) (*evaluator, error) {
	v, err := inputOf(doc)
	if err != nil {
		return nil, fmt.Errorf("document for the policies: %w", err)
	}
	store, err := p.given(params)
	if err != nil {
		return nil, err
	}
	return &evaluator{
		policies: p, input: ast.NewTerm(v), store: store, given: params, left: map[bool]time.Duration{true: p.limits.set, false: p.limits.set},
	}, nil
}

// parameters are what policies read as data, with some configuration: it is the same for each host.
type parameters struct {
	text  string // as JSON
	store storage.Store
}

// given is the store with these parameters. Others are forgotten: a program judges by one configuration.
func (p *Policies) given(params map[string]any) (storage.Store, error) {
	values := p.values(params)
	b, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("parameters of the policies: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.data == nil || p.data.text != string(b) {
		p.data = &parameters{string(b), inmem.NewFromObject(map[string]any{"params": values})}
	}
	return p.data.store, nil
}

// The reasons to end a policy.
var (
	errTime   = errors.New("it took longer than it may")
	errMemory = errors.New("it needs more memory than it may")
)

// check evaluates one policy within the limits. An error is of the policy alone, unless ctx has
// ended. A function of a policy that does not end is left behind.
func (e *evaluator) check(ctx context.Context, c *Check) (*answer, error) {
	return bounds(ctx, e, c, e.eval)
}

// bounds evaluates something of a policy within the limits.
func bounds[T any](ctx context.Context, e *evaluator, c *Check, eval func(context.Context, *Check) (*T, error)) (*T, error) {
	lim := e.policies.limits
	limit := min(lim.policy, e.left[c.Builtin])
	start := time.Now()
	defer func() { e.left[c.Builtin] -= time.Since(start) }()
	if limit <= 0 {
		return nil, fmt.Errorf("not evaluated: those before it took %s", lim.set)
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		a   *T
		err error
	}
	done := make(chan outcome, 1)
	e.do(func() {
		defer func() {
			if r := recover(); r != nil {
				done <- outcome{nil, fmt.Errorf("panic: %v", r)}
			}
		}()
		a, err := eval(inner, c)
		done <- outcome{a, err}
	})
	late := time.NewTimer(limit)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var left <-chan time.Time
	for base := liveHeap(); ; {
		select {
		case o := <-done:
			if cause := context.Cause(inner); o.err != nil && cause != nil {
				o.err = cause
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return o.a, o.err
		case <-tick.C:
			if now := liveHeap(); now > base && now-base > lim.memory {
				cancel(fmt.Errorf("%w (%d MiB)", errMemory, lim.memory>>20))
			}
		case <-late.C:
			cancel(fmt.Errorf("%w (%s)", errTime, limit.Round(time.Millisecond)))
		case <-left:
			e.end() // what does not end has its goroutine
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, context.Cause(inner)
		}
		if inner.Err() != nil && left == nil {
			left = time.After(lim.grace)
		}
	}
}

// liveHeap is what the last garbage collection found in use: garbage does not count.
func liveHeap() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

func (e *evaluator) eval(ctx context.Context, c *Check) (*answer, error) {
	all, err := e.whole(ctx, c.pkg)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	err = inParts(all, func(part ast.Object) error {
		var more answer
		if err := decoded(part, &more); err != nil {
			return err
		}
		a.add(&more)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, a.valid(c)
}

// add adds what another part of the policy says.
func (a *answer) add(more *answer) {
	a.Finding, a.Unknown = append(a.Finding, more.Finding...), append(a.Unknown, more.Unknown...)
	a.NotApplicable += more.NotApplicable
}

// mostAtOnce is how many findings of a policy are decoded at once: as JSON they take many times what is kept of them.
const mostAtOnce = 1000

// inParts goes through what a package evaluates to: sets that have many elements come in parts, in their order.
func inParts(all ast.Object, do func(ast.Object) error) error {
	first, large := ast.NewObject(), [][2]*ast.Term(nil)
	all.Foreach(func(k, v *ast.Term) {
		if name, ok := k.Value.(ast.String); !ok || strings.HasPrefix(string(name), "_") {
			return
		}
		if s, ok := v.Value.(ast.Set); ok && s.Len() > mostAtOnce {
			large = append(large, [2]*ast.Term{k, ast.ArrayTerm(s.Slice()...)})
			return
		}
		first.Insert(k, v)
	})
	if err := do(first); err != nil {
		return err
	}
	for _, l := range large {
		list, ok := l[1].Value.(*ast.Array)
		for from := 0; ok && from < list.Len(); from += mostAtOnce {
			part := list.Slice(from, min(from+mostAtOnce, list.Len()))
			if err := do(ast.NewObject([2]*ast.Term{l[0], ast.NewTerm(part)})); err != nil {
				return err
			}
		}
	}
	return nil
}

// public reads what the package of a policy evaluates to, without its private rules.
func (e *evaluator) public(ctx context.Context, c *Check, into any) error {
	all, err := e.whole(ctx, c.pkg)
	if err != nil {
		return err
	}
	return decoded(all, into)
}

// decoded reads values of a package, without its private rules.
func decoded(all ast.Object, into any) error {
	public := map[string]any{}
	err := all.Iter(func(k, v *ast.Term) error {
		name, ok := k.Value.(ast.String)
		if !ok || strings.HasPrefix(string(name), "_") {
			return nil
		}
		value, err := ast.JSON(v.Value)
		public[string(name)] = value
		return err
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(public)
	if err != nil {
		return err
	}
	return words.JSONError(b, strictJSON(b, into))
}

// whole is what a package evaluates to. The query is made of terms: to parse and to compile its text costs as much as many answers.
func (e *evaluator) whole(ctx context.Context, pkg string) (ast.Object, error) {
	txn, err := e.store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer e.store.Abort(ctx, txn)
	ended := topdown.NewCancel()
	defer context.AfterFunc(ctx, ended.Cancel)()
	path := ast.Ref{ast.DefaultRootDocument}
	for _, name := range strings.Split(pkg, ".")[1:] {
		path = append(path, ast.StringTerm(name))
	}
	answer := ast.Var("answer")
	q := topdown.NewQuery(ast.NewBody(ast.Equality.Expr(ast.NewTerm(answer), ast.NewTerm(path)))).WithCompiler(e.policies.compiler).
		WithStore(e.store).WithTransaction(txn).WithInput(e.input).WithCancel(ended).WithStrictBuiltinErrors(true)
	var all ast.Object
	err = q.Iter(ctx, func(r topdown.QueryResult) error {
		all, _ = r[answer].Value.(ast.Object)
		return nil
	})
	if err == nil && all == nil {
		err = errors.New("the package has no value")
	}
	return all, err
}

// maxReason bounds a reason that quotes an error, in characters.
const maxReason = 300

// reasonOf is an error as one line of a report: it can quote what a host or a policy of the user says.
func reasonOf(err error) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.Join(strings.Fields(err.Error()), " "))
	if r := []rune(s); len(r) > maxReason {
		s = string(r[:maxReason]) + "…"
	}
	return s
}
