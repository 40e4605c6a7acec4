package judge

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/rego"
)

// ErrPolicy is in every error of reading and compiling policies.
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
	Params      map[string]Param // what it reads of the configuration, by name
	Kinds       []string         // kinds of resources of its own
	Assumes     []string         // ids of assumptions that it rests on: it passes only while they hold
	File        string
	Builtin     bool

	pkg string // data.ringfence.area.check
}

// Policies is a compiled set of policies.
type Policies struct {
	Checks   []Check
	rules    []Check // of the user, that assumptions are held by
	compiler *ast.Compiler
	modules  map[string]*ast.Module
	tests    map[string]*ast.Module
	pending  []Module // unit tests of the program's own, until somebody needs them
	builtins map[string]bool
	params   map[string]Param // of all checks
	limits   limits
	leave    string

	mu   sync.Mutex
	data *parameters // that were given last
}

// Leave has the policies of the user not be evaluated: their checks are unknown for this reason.
func (p *Policies) Leave(reason string) { p.leave = reason }

// Module is one file of policies of the user's own.
type Module struct {
	File string `json:"file"` // as it is named in messages; a name in _test.rego holds unit tests
	Text []byte `json:"text"`
}

// MaxPolicy bounds a policy file.
const MaxPolicy = 1 << 20

// Load compiles the built-in policies and those of the user. Policies run with no access to files, the
// network, the environment or the clock: their capabilities lack the functions (see bounded). An error
// wraps ErrPolicy.
func Load(modules ...Module) (*Policies, error) {
	if len(modules) == 0 {
		if p, err := shipped(); err == nil {
			return p, nil
		}
		return ofTexts()
	}
	p := empty()
	if err := p.builtin(rego.Policies); err != nil {
		return nil, err
	}
	if err := p.parseTests(); err != nil {
		return nil, err
	}
	own := map[string]string{}
	for _, set := range []map[string]*ast.Module{p.modules, p.tests} {
		for file, m := range set {
			own[m.Package.Path.String()] = file
		}
	}
	for i := range modules {
		m, err := p.add(&modules[i])
		if err != nil {
			return nil, err
		}
		if err := foreign(m, own); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, modules[i].File, err)
		}
	}
	return p, p.compile(newCompiler())
}

func empty() *Policies {
	return &Policies{modules: map[string]*ast.Module{}, tests: map[string]*ast.Module{}, builtins: map[string]bool{}, limits: defaults}
}

// ofTexts compiles the program's own policies. A test compiles them with every stage.
func ofTexts() (*Policies, error) {
	p := empty()
	if err := p.builtin(rego.Policies); err != nil {
		return nil, err
	}
	return p, p.compile(ast.NewCompiler().WithCapabilities(capabilities()).WithSkipStages(checking...))
}

// checking are the stages of the compiler that change nothing in the program's own policies: they refuse what is wrong, or they are for what
// those do not have. A test compiles them with every stage, and finds the same.
var checking = []ast.StageID{
	ast.StageCheckTypes, ast.StageCheckUnusedImports, ast.StageCheckKeywordOverrides, ast.StageCheckDuplicateImports, ast.StageCheckVoidCalls,
	ast.StageCheckRuleConflicts, ast.StageCheckUndefinedFuncs, ast.StageCheckSafetyRuleHeads, ast.StageCheckSafetyRuleBodies, ast.StageCheckRecursion,
	ast.StageCheckUnsafeBuiltins, ast.StageCheckDeprecatedBuiltins, ast.StageBuildRequiredCapabilities, ast.StageSetGraph,
	ast.StageRewriteTemplateStrings, ast.StageRewriteWithValues, ast.StageRewritePrintCalls, ast.StageRewriteTestRulesForTracing,
	ast.StageParseMetadataBlocks, ast.StageSetAnnotationSet, ast.StageRewriteRegoMetadataCalls,
}

// builtinDir is what the names of the built-in policies begin with.
const builtinDir = "builtin/"

func (p *Policies) builtin(files fs.FS) error {
	return fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		if d.IsDir() || path.Ext(file) != ".rego" {
			return nil
		}
		b, err := fs.ReadFile(files, file)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		m := Module{builtinDir + file, b}
		p.builtins[m.File] = true // by file, since a directory of the user can have the same name
		if isTest(m.File) {
			p.pending = append(p.pending, m)
			return nil
		}
		_, err = p.add(&m)
		return err
	})
}

// parseTests parses the unit tests of the program's own policies, and these where they were compiled before: no audit needs them.
func (p *Policies) parseTests() error {
	if len(p.modules) == 0 {
		if err := p.builtin(rego.Policies); err != nil {
			return err
		}
	}
	for i := range p.pending {
		if _, err := p.add(&p.pending[i]); err != nil {
			return err
		}
	}
	p.pending = nil
	return nil
}

// isTest says whether a file of policies holds unit tests.
func isTest(file string) bool { return strings.HasSuffix(file, "_test.rego") }

// known are the words that the parser knows. It would make the list anew for each file.
var known = sync.OnceValue(func() *ast.Capabilities {
	return ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1))
})

// add parses a module.
func (p *Policies) add(f *Module) (*ast.Module, error) {
	if len(f.Text) > MaxPolicy {
		return nil, fmt.Errorf("%w: %s: larger than 1 MiB: divide it (code that several policies share is in ringfence.shared)", ErrPolicy, f.File)
	}
	if p.modules[f.File] != nil || p.tests[f.File] != nil {
		return nil, fmt.Errorf("%w: %s: read twice", ErrPolicy, f.File)
	}
	m, err := ast.ParseModuleWithOpts(f.File, string(f.Text), ast.ParserOptions{
		ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: known(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	for _, a := range m.Annotations {
		if len(a.Schemas) > 0 { // a $ref in one makes the compiler read files and the network
			return nil, fmt.Errorf("%w: %s: schemas in METADATA are refused: input has its own", ErrPolicy, f.File)
		}
	}
	if isTest(f.File) {
		p.tests[f.File] = m
	} else {
		p.modules[f.File] = m
	}
	return m, nil
}

// foreign refuses a module of the user that adds to a package of the program's own: a rule more in there
// could change what the built-in checks say. What several of the user's policies share is in
// ringfence.shared or below it.
func foreign(m *ast.Module, own map[string]string) error {
	ref := packagePath(m)
	name := strings.Join(ref[1:], ".")
	if file := own[m.Package.Path.String()]; file != "" {
		return fmt.Errorf("package %s is that of %s: name it otherwise", name, file)
	}
	switch {
	case len(ref) < 3 || ref[1] != "ringfence":
		return fmt.Errorf("package %s: want ringfence.<area>.<check>, or ringfence.shared", name)
	case ref[2] == "lib":
		return fmt.Errorf("package %s is below ringfence.lib of %slib/lib.rego: shared code of one's own is in ringfence.shared", name, builtinDir)
	case ref[2] != shared && len(ref) != 4:
		return fmt.Errorf("package %s: want ringfence.<area>.<check>, or ringfence.shared", name)
	}
	return nil
}

// shared is the area of the code that policies of the user share.
const shared = "shared"

// packagePath is a package as names, with "data" first.
func packagePath(m *ast.Module) []string {
	ref := []string{"data"} // the first term is a variable
	for _, t := range m.Package.Path {
		if s, ok := t.Value.(ast.String); ok {
			ref = append(ref, string(s))
		}
	}
	return ref
}

func newCompiler() *ast.Compiler {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, any(inputSchema()))
	return ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true).WithSchemas(schemas)
}

func (p *Policies) compile(c *ast.Compiler) error {
	p.compiler = c
	p.compiler.Compile(p.modules)
	if p.compiler.Failed() {
		return compileErrors(p.compiler.Errors)
	}
	byID := map[string]string{}
	var wrong []error // of all policies, so that they are mended in one go
	for _, file := range sorted(p.modules) {
		c, err := p.check(file)
		switch {
		case c != nil && byID[c.ID] != "":
			wrong = append(wrong, fmt.Errorf("%w: %s and %s are the same check: name one of them otherwise", ErrPolicy, byID[c.ID], file))
		case err != nil:
			wrong = append(wrong, inPolicy(file, err))
		case c == nil: // shared code
		default:
			byID[c.ID] = file
			if strings.HasPrefix(c.ID, ruleArea+"/") {
				p.rules = append(p.rules, *c)
				continue
			}
			p.Checks = append(p.Checks, *c)
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	slices.SortFunc(p.Checks, func(a, b Check) int { return strings.Compare(a.ID, b.ID) })
	var err error
	p.params, err = declaredParams(p.Checks)
	return err
}

// check is the check of a module; nil if it is code that several share.
func (p *Policies) check(file string) (*Check, error) {
	c, err := metadata(file, p.modules[file])
	if err != nil {
		return nil, err
	}
	if c == nil {
		if uses := inputUses(p.compiler.Modules[file]); len(uses) > 0 {
			return nil, placed(uses[0].at, "shared code reads input: hand it what it needs as an argument")
		}
		return nil, nil
	}
	c.Builtin = p.builtins[file]
	if c.Builtin { // tests hold them to the same
		return c, nil
	}
	return c, p.holds(c, file)
}

// holds refuses a check that uses what it does not name: sections of the snapshot, parameters, words of a report.
func (p *Policies) holds(c *Check, file string) error {
	if err := p.covers(c); err != nil {
		return err
	}
	if err := p.declares(c); err != nil {
		return err
	}
	if err := c.namesZones(p.modules[file]); err != nil {
		return err
	}
	if err := c.namesKeys(p.modules[file]); err != nil {
		return err
	}
	if err := c.namesSettings(p.modules[file]); err != nil {
		return err
	}
	return c.speaks(p.modules[file])
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
	"agents", "ipmi", "kernel", "listeners", "management", "namespaces", "network", "nftables", "powers", "processes", "runtimes", "ssh", "system", "windows", "winrm",
}
