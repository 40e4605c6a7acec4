package judge

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// TestResult is one Rego unit test.
type TestResult struct {
	Name    string
	Pass    bool
	Output  string // why it failed
	Trace   string // of one that failed, if it was asked for
	Builtin bool   // of the program's own policies
}

// TestOptions say which unit tests are run, and what is told of them.
type TestOptions struct {
	Run      *regexp.Regexp // of names, such as ringfence.own.check_test.test_fail; nil is all
	User     bool           // only those of the user's policies
	Trace    bool           // how those that fail were evaluated
	Coverage bool           // which lines of the user's policies were evaluated
}

// maxTrace bounds the trace of one test, in bytes.
const maxTrace = 64 << 10

// Covered is how much of a file was evaluated by the tests.
type Covered struct {
	File    string
	Percent float64
	Missing []int // lines that were not
}

// Test runs the unit tests of the policies. It says too what they cover, if that was asked for.
func (p *Policies) Test(ctx context.Context, opt TestOptions) ([]TestResult, []Covered, error) {
	if !opt.User {
		if err := p.parseTests(); err != nil {
			return nil, nil, err
		}
	}
	all := map[string]*ast.Module{}
	for k, m := range p.modules {
		all[k] = m.Copy()
	}
	users := map[string]bool{}
	for k, m := range p.tests {
		user := !p.builtins[k]
		if user {
			users[m.Package.Path.String()] = true // no package of a user is one of the program's own
		}
		if user || !opt.User {
			all[k] = m.Copy()
		}
	}
	store := inmem.NewFromObject(map[string]any{"params": p.values(nil)})
	// Tests replace input by small documents, so their compiler does not check it by the schema.
	runner := tester.NewRunner().SetCompiler(ast.NewCompiler().WithCapabilities(capabilities())).
		SetStore(store).SetModules(all).SetTimeout(p.limits.policy).EnableTracing(opt.Trace)
	if opt.Run != nil {
		runner = runner.Filter(opt.Run.String())
	}
	covered := cover.New()
	if opt.Coverage {
		runner = runner.SetCoverageQueryTracer(covered)
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	defer store.Abort(ctx, txn)
	ch, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	var out []TestResult
	for r := range ch {
		out = append(out, testResult(r, users))
	}
	slices.SortFunc(out, func(a, b TestResult) int { return strings.Compare(a.Name, b.Name) })
	if !opt.Coverage {
		return out, nil, nil
	}
	return out, p.coverage(covered, all), nil
}

func testResult(r *tester.Result, users map[string]bool) TestResult {
	t := TestResult{Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Pass: r.Pass(), Builtin: !users[r.Package]}
	if r.Error != nil {
		t.Output = r.Error.Error()
	} else if r.Fail && r.Location != nil {
		t.Output = fmt.Sprintf("%s:%d", r.Location.File, r.Location.Row)
	}
	if !t.Pass && len(r.Trace) > 0 {
		var b bytes.Buffer
		topdown.PrettyTraceWithLocation(&b, r.Trace)
		t.Trace = b.String()
		if len(t.Trace) > maxTrace {
			t.Trace = strings.ToValidUTF8(t.Trace[:maxTrace], "") + "\n(and more)\n"
		}
	}
	return t
}

// coverage is what was evaluated of the user's policies.
func (p *Policies) coverage(c *cover.Cover, all map[string]*ast.Module) (out []Covered) {
	report := c.Report(all)
	for _, file := range sorted(p.modules) {
		f := report.Files[file]
		if p.builtins[file] || f == nil {
			continue
		}
		x := Covered{File: file, Percent: f.Coverage}
		for _, r := range f.NotCovered {
			for l := r.Start.Row; l <= r.End.Row; l++ {
				x.Missing = append(x.Missing, l)
			}
		}
		out = append(out, x)
	}
	return out
}
