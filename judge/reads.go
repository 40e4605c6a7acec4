package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// fieldReads maps the fields of the document to the sections, or parts of them, that they are made from.
func fieldReads() map[string][]string {
	m := map[string][]string{}
	for f := range DocumentType.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m[name] = strings.Fields(f.Tag.Get("reads"))
	}
	return m
}

// wholeInput stands for all fields: a policy that hands the document on can read any.
const wholeInput = "*"

// inputUse is a place where a module refers to a field of the document.
type inputUse struct {
	field string
	at    *ast.Location
}

// inputUses are the fields of the document that a compiled module refers to, each with the first place.
func inputUses(m *ast.Module) []inputUse {
	var uses []inputUse
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if !r[0].Equal(ast.InputRootDocument) {
			return false
		}
		name := wholeInput
		if len(r) > 1 {
			if s, ok := r[1].Value.(ast.String); ok {
				name = string(s)
			}
		}
		if !slices.ContainsFunc(uses, func(u inputUse) bool { return u.field == name }) {
			uses = append(uses, inputUse{name, r[0].Location})
		}
		return false
	})
	return uses
}

// inputFields are the fields of the document that a compiled module refers to.
func inputFields(m *ast.Module) []string {
	seen := map[string]bool{}
	for _, u := range inputUses(m) {
		seen[u.field] = true
	}
	return sorted(seen)
}

// behind are the files of the modules that a module refers to, and those that they refer to; it is the first.
func (p *Policies) behind(file string) []string {
	list := []string{file}
	for i := 0; i < len(list); i++ {
		ast.WalkRefs(p.compiler.Modules[list[i]], func(r ast.Ref) bool {
			if !r[0].Equal(ast.DefaultRootDocument) {
				return false
			}
			r = r.GroundPrefix()
			for other, m := range p.compiler.Modules {
				if (r.HasPrefix(m.Package.Path) || m.Package.Path.HasPrefix(r)) && !slices.Contains(list, other) {
					list = append(list, other)
				}
			}
			return false
		})
	}
	slices.Sort(list[1:])
	return list
}

// isCheck says whether a file has a check, and not code that several share.
func (p *Policies) isCheck(file string) bool {
	ref := packagePath(p.modules[file])
	return len(ref) == 4 && ref[2] != "lib" && ref[2] != shared
}

// neededReads are the sections, and parts of them, that fields are made from.
func neededReads(fields []string) []string {
	var want []string
	all := fieldReads()
	if slices.Contains(fields, wholeInput) { // such a policy was written for Linux hosts
		return slices.DeleteFunc(slices.Clone(sections), func(s string) bool { return s == "windows" })
	}
	for _, f := range fields {
		want = append(want, all[f]...)
	}
	slices.Sort(want)
	return slices.Compact(want)
}

// readPart says whether reads name what fields of the document are made from: a section, or a part that one has.
func readPart(read string) bool {
	if slices.Contains(sections, read) {
		return true
	}
	for _, parts := range fieldReads() {
		if slices.Contains(parts, read) {
			return true
		}
	}
	return false
}

// later are reads that fields have got since policies of users were written, by an older one that stands for them there: the policy reads
// them without naming them.
var later = map[string]string{"listeners.namespaces": "listeners.ip", "namespaces": "network", "system": "kernel", "management": "listeners.ip"}

// covers refuses a policy of the user that uses what it does not name among its reads, by itself or by what other policies found: it would
// pass on evidence that was never seen. The section as a whole covers each part of it.
func (p *Policies) covers(c *Check) error {
	files := p.behind(c.File)
	for _, file := range files {
		for _, u := range inputUses(p.compiler.Modules[file]) {
			for _, need := range neededReads([]string{u.field}) {
				section, _, _ := strings.Cut(need, ".")
				if older := later[need]; older != "" && slices.Contains(c.Reads, older) && !slices.Contains(c.Reads, need) {
					c.Reads = append(c.Reads, need)
				}
				if slices.Contains(c.Reads, need) || slices.Contains(c.Reads, section) {
					continue
				}
				what := "input." + u.field + " is"
				if u.field == wholeInput {
					what = "input as a whole is"
				}
				if file != c.File {
					return fmt.Errorf("check %s: it reads what %s says, which is made from %s: reads lacks that: write reads: [%s]",
						c.ID, file, need, strings.Join(p.allReads(files), ", "))
				}
				return placed(u.at, "check %s: %s made from %s, which reads lacks: write reads: [%s]",
					c.ID, what, need, strings.Join(p.allReads(files), ", "))
			}
		}
	}
	return nil
}

// allReads are the sections, and parts of them, that the fields which modules use are made from.
func (p *Policies) allReads(files []string) []string {
	var fields []string
	for _, file := range files {
		fields = append(fields, inputFields(p.compiler.Modules[file])...)
	}
	return neededReads(fields)
}

// Spare are the reads of a check that nothing it uses is made from: it is unknown without need where they were not seen.
func (p *Policies) Spare(c *Check) []string {
	needed := p.allReads(p.behind(c.File))
	var spare []string
	for _, r := range c.Reads {
		if !slices.ContainsFunc(needed, func(need string) bool { return need == r || strings.HasPrefix(need, r+".") }) {
			spare = append(spare, r)
		}
	}
	return spare
}
