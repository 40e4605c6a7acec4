package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/rego"
)

// ErrPolicy wraps everything that is wrong with a policy.
var ErrPolicy = errors.New("policy")

// Check is what is fixed about a check, from the METADATA of its policy.
type Check struct {
	ID          string
	Title       string
	Description string
	Severity    string
	Reads       []string // sections of the snapshot, or parts of them (listeners.ip)
	Remediation string
	References  finding.References
	File        string

	pkg string // data.ringfence.area.check
}

// Policies is a compiled set of policies.
type Policies struct {
	Checks   []Check
	compiler *ast.Compiler
	modules  map[string]*ast.Module
	tests    map[string]*ast.Module
}

// maxPolicy bounds a policy file.
const maxPolicy = 1 << 20

// Load compiles the built-in policies and those of the directories. Policies run with no access to
// the network, the environment or the clock's zone files: their capabilities lack those functions.
func Load(dirs ...string) (*Policies, error) {
	p := &Policies{modules: map[string]*ast.Module{}, tests: map[string]*ast.Module{}}
	if err := p.read(rego.Policies, "builtin"); err != nil {
		return nil, err
	}
	for _, d := range dirs {
		if err := trusted(d); err != nil {
			return nil, err
		}
		if err := p.read(os.DirFS(d), d); err != nil {
			return nil, err
		}
	}
	return p, p.compile()
}

// trusted refuses a directory that everybody can write: its policies would judge for the user.
func trusted(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%w: %s is not a directory", ErrPolicy, dir)
	}
	if st.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%w: %s is writable by everybody", ErrPolicy, dir)
	}
	return nil
}

func (p *Policies) read(files fs.FS, name string) error {
	return fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		if d.IsDir() || path.Ext(file) != ".rego" {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxPolicy || !info.Mode().IsRegular() {
			return fmt.Errorf("%w: %s/%s: not a regular file of at most 1 MiB", ErrPolicy, name, file)
		}
		b, err := fs.ReadFile(files, file)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		full := filepath.ToSlash(path.Join(name, file))
		m, err := ast.ParseModuleWithOpts(full, string(b), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1,
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		if strings.HasSuffix(file, "_test.rego") {
			p.tests[full] = m
		} else {
			p.modules[full] = m
		}
		return nil
	})
}

func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return b.Name == "http.send" || b.Name == "net.lookup_ip_addr" || b.Name == "opa.runtime" ||
			strings.HasPrefix(b.Name, "rego.parse") || strings.HasPrefix(b.Name, "rand.") ||
			strings.HasPrefix(b.Name, "uuid.") || b.Name == "time.now_ns" || b.Name == "trace"
	})
	c.AllowNet = []string{}
	return c
}

func newCompiler() *ast.Compiler {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, any(inputSchema()))
	return ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true).WithSchemas(schemas)
}

func (p *Policies) compile() error {
	p.compiler = newCompiler()
	p.compiler.Compile(p.modules)
	if p.compiler.Failed() {
		return fmt.Errorf("%w: %w", ErrPolicy, p.compiler.Errors)
	}
	byID := map[string]string{}
	for _, file := range sorted(p.modules) {
		c, err := metadata(file, p.modules[file])
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrPolicy, file, err)
		}
		if c == nil {
			continue
		}
		if other := byID[c.ID]; other != "" {
			return fmt.Errorf("%w: %s and %s are the same check", ErrPolicy, other, file)
		}
		byID[c.ID] = file
		p.Checks = append(p.Checks, *c)
	}
	slices.SortFunc(p.Checks, func(a, b Check) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sections are the sections of a snapshot that a policy can read.
var sections = []string{
	"agents", "ipmi", "kernel", "listeners", "network", "nftables", "processes", "runtimes", "ssh", "winrm",
}

// metadata reads a check from the annotations of its package; a module of shared code (package
// ringfence.lib) is no check.
func metadata(file string, m *ast.Module) (*Check, error) {
	ref := []string{"data"} // the first term is a variable
	for _, t := range m.Package.Path {
		if s, ok := t.Value.(ast.String); ok {
			ref = append(ref, string(s))
		}
	}
	if len(ref) >= 3 && ref[1] == "ringfence" && ref[2] == "lib" {
		return nil, nil
	}
	if len(ref) != 4 || ref[0] != "data" || ref[1] != "ringfence" {
		return nil, fmt.Errorf("package %v: want ringfence.<area>.<check>", m.Package.Path)
	}
	c := &Check{File: file, pkg: strings.Join(ref, "."), ID: ref[2] + "/" + strings.ReplaceAll(ref[3], "_", "-")}
	base := strings.TrimSuffix(path.Base(file), ".rego")
	if base != path.Base(c.ID) {
		return nil, fmt.Errorf("check %s: the file must have its name", c.ID)
	}
	for _, a := range m.Annotations {
		if a.Scope != "package" {
			continue
		}
		c.Title, c.Description = a.Title, a.Description
		for _, r := range a.RelatedResources {
			c.References.URLs = append(c.References.URLs, r.Ref.String())
		}
		b, err := json.Marshal(a.Custom)
		if err != nil {
			return nil, err
		}
		var custom struct {
			Severity    string             `json:"severity"`
			Reads       []string           `json:"reads"`
			Remediation string             `json:"remediation"`
			References  finding.References `json:"references"`
		}
		if err := strictJSON(b, &custom); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		urls := c.References.URLs
		c.Severity, c.Reads, c.Remediation = custom.Severity, custom.Reads, custom.Remediation
		c.References = custom.References
		c.References.URLs = urls
	}
	return c, c.complete()
}

func (c *Check) complete() error {
	switch {
	case c.Title == "" || c.Description == "" || c.Remediation == "":
		return fmt.Errorf("check %s: metadata needs title, description and remediation", c.ID)
	case finding.Rank(c.Severity) >= len(finding.Severities):
		return fmt.Errorf("check %s: severity %q", c.ID, c.Severity)
	}
	for _, r := range c.Reads {
		section, _, _ := strings.Cut(r, ".")
		if !slices.Contains(sections, section) {
			return fmt.Errorf("check %s: reads %q, which is no section", c.ID, r)
		}
	}
	return nil
}

func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// answer is what the package of a policy evaluates to. Private rules begin with "_".
type answer struct {
	Finding []struct {
		Resource    finding.Resource      `json:"resource"`
		Message     string                `json:"message"`
		Severity    string                `json:"severity"`
		Zone        string                `json:"zone"`
		Evidence    []string              `json:"evidence"`
		Witness     string                `json:"witness"`
		Steps       []string              `json:"steps"`
		Remediation []finding.Remediation `json:"remediation"`
	} `json:"finding"`
	Unknown       []finding.Unclear `json:"unknown"`
	NotApplicable string            `json:"not_applicable"`
}

// evaluator evaluates policies over one document, which is converted once for all of them.
type evaluator struct {
	policies *Policies
	input    ast.Value
	params   map[string]any
}

func (p *Policies) evaluator(doc *Document, params map[string]any) (*evaluator, error) {
	v, err := ast.InterfaceToValue(doc)
	if err != nil {
		return nil, fmt.Errorf("document for the policies: %w", err)
	}
	if params == nil {
		params = map[string]any{}
	}
	return &evaluator{p, v, params}, nil
}

func (e *evaluator) check(ctx context.Context, c *Check) (*answer, error) {
	store := inmem.NewFromObject(map[string]any{"params": e.params})
	q, err := opa.New(
		opa.Query(c.pkg), opa.Compiler(e.policies.compiler), opa.Store(store), opa.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, c.ID, err)
	}
	rs, err := q.Eval(ctx, opa.EvalParsedInput(e.input))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, c.ID, err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return nil, fmt.Errorf("%w: %s: the package has no value", ErrPolicy, c.ID)
	}
	public := map[string]any{}
	m, _ := rs[0].Expressions[0].Value.(map[string]any)
	for k, v := range m {
		if !strings.HasPrefix(k, "_") {
			public[k] = v
		}
	}
	b, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if err := strictJSON(b, a); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, c.ID, err)
	}
	return a, nil
}

// TestResult is one Rego unit test.
type TestResult struct {
	Name   string
	Pass   bool
	Output string
}

// Test runs the unit tests of the policies.
func (p *Policies) Test(ctx context.Context) ([]TestResult, error) {
	all := map[string]*ast.Module{}
	for k, m := range p.modules {
		all[k] = m.Copy()
	}
	for k, m := range p.tests {
		all[k] = m.Copy()
	}
	store := inmem.NewFromObject(map[string]any{"params": map[string]any{}})
	// Tests replace input by small documents, so their compiler does not check it by the schema.
	runner := tester.NewRunner().SetCompiler(ast.NewCompiler().WithCapabilities(capabilities())).
		SetStore(store).SetModules(all)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	defer store.Abort(ctx, txn)
	ch, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	var out []TestResult
	for r := range ch {
		t := TestResult{Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Pass: r.Pass()}
		if r.Error != nil {
			t.Output = r.Error.Error()
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b TestResult) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
