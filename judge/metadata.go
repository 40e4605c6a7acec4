package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// placedError is about a line of a policy.
type placedError struct {
	line int
	err  error
}

func (e *placedError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.err) }

func (e *placedError) Unwrap() error { return e.err }

// placed is an error about a place in a policy; the place can be unknown.
func placed(at *ast.Location, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if at == nil || at.Row == 0 {
		return err
	}
	return &placedError{at.Row, err}
}

// inPolicy adds to an error what file it is about, and the line as compilers write it. It wraps ErrPolicy.
func inPolicy(file string, err error) error {
	var p *placedError
	if errors.As(err, &p) {
		return fmt.Errorf("%w: %s:%d: %w", ErrPolicy, file, p.line, p.err)
	}
	return fmt.Errorf("%w: %s: %w", ErrPolicy, file, err)
}

// metadata reads a check from the annotations of its package; a module of shared code (package
// ringfence.lib, or ringfence.shared of the user) is no check.
func metadata(file string, m *ast.Module) (*Check, error) {
	ref := packagePath(m)
	if len(ref) >= 3 && ref[1] == "ringfence" && (ref[2] == "lib" || ref[2] == shared) {
		return nil, nil
	}
	if len(ref) != 4 || ref[0] != "data" || ref[1] != "ringfence" {
		return nil, placed(m.Package.Location, "package %v: want ringfence.<area>.<check>", m.Package.Path)
	}
	c := &Check{File: file, pkg: strings.Join(ref, "."), ID: strings.ReplaceAll(ref[2]+"/"+ref[3], "_", "-")}
	base := strings.TrimSuffix(path.Base(file), ".rego")
	if base != path.Base(c.ID) {
		return nil, placed(m.Package.Location, "check %s: the file must have its name: call it %s.rego", c.ID, path.Base(c.ID))
	}
	at := m.Package.Location
	for _, a := range m.Annotations {
		if a.Scope != "package" {
			continue
		}
		at = a.Location
		c.Title, c.Description = a.Title, a.Description
		for _, r := range a.RelatedResources {
			c.References.URLs = append(c.References.URLs, r.Ref.String())
		}
		for _, key := range sorted(a.Custom) {
			if err := c.custom(key, a.Custom[key]); err != nil {
				return nil, placed(metadataLine(m, a, key, err), "check %s: %w", c.ID, err)
			}
		}
	}
	if ref[2] == ruleArea { // a report prints nothing of it
		return c, nil
	}
	if err := c.complete(); err != nil {
		return nil, placed(at, "check %s: %w", c.ID, err)
	}
	return c, nil
}

// metadataLine is the line of METADATA that an error about a key is about: one with a word that the error quotes, or that of the key.
func metadataLine(m *ast.Module, a *ast.Annotations, key string, err error) *ast.Location {
	at, quoted := a.Location, ""
	if _, after, ok := strings.Cut(err.Error(), `"`); ok {
		quoted, _, _ = strings.Cut(after, `"`)
	}
	for _, c := range m.Comments {
		if c.Location.Row < a.Location.Row || c.Location.Row >= m.Package.Location.Row {
			continue
		}
		text := string(c.Text)
		if strings.Contains(text, key+":") {
			at = c.Location
		}
		if quoted != "" && at != a.Location && strings.Contains(text, quoted) {
			return c.Location
		}
	}
	return at
}

// customKeys are what the custom block of METADATA may have.
var customKeys = []string{"severity", "reads", "remediation", "references", "params", "kinds", "assumes"}

// custom reads one key of the custom block.
func (c *Check) custom(key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	want := map[string]string{
		"severity": "a text", "remediation": "a text", "reads": "a list of sections", "kinds": "a list of texts", "assumes": "a list of assumptions",
		"references": "an object with cis, nist, attack, cwe and cve",
	}[key]
	switch key {
	case "severity":
		if err = json.Unmarshal(b, &c.Severity); err == nil {
			return knownSeverity(c.Severity)
		}
	case "reads":
		if err = json.Unmarshal(b, &c.Reads); err == nil {
			return c.knownReads()
		}
	case "remediation":
		err = json.Unmarshal(b, &c.Remediation)
	case "kinds":
		err = json.Unmarshal(b, &c.Kinds)
	case "assumes":
		err = json.Unmarshal(b, &c.Assumes)
	case "references":
		urls := c.References.URLs
		err = strictJSON(b, &c.References)
		c.References.URLs = urls
	case "params":
		c.Params, err = paramsOf(b)
		return err
	default:
		return fmt.Errorf("custom has no key %q: want %s", key, strings.Join(customKeys, ", "))
	}
	if err != nil {
		return fmt.Errorf("%s: want %s, got %s", key, want, b)
	}
	return nil
}

// knownReads refuses a section, or a part of one, that no snapshot has.
func (c *Check) knownReads() error {
	for _, r := range c.Reads {
		if !readPart(r) {
			return fmt.Errorf("reads %q, which is no section or part of one: want some of %s", r, strings.Join(readNames(), ", "))
		}
	}
	return nil
}

// complete refuses a check that lacks what a report prints.
func (c *Check) complete() error {
	var lacks []string
	for _, f := range []struct{ name, value string }{
		{"title", c.Title}, {"description", c.Description}, {"custom.severity", c.Severity}, {"custom.remediation", c.Remediation},
	} {
		if f.value == "" {
			lacks = append(lacks, f.name)
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("metadata needs title, description, custom.severity and custom.remediation: %s is missing (see CONTRIBUTING.md)",
			strings.Join(lacks, ", "))
	}
	return nil
}

// readNames are the sections and parts that a policy can read.
func readNames() []string {
	names := slices.Clone(sections)
	for _, parts := range fieldReads() {
		names = append(names, parts...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
