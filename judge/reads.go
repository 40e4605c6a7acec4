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

// inputFields are the fields of the document that a module refers to.
func inputFields(m *ast.Module) []string {
	seen := map[string]bool{}
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
		seen[name] = true
		return false
	})
	return sorted(seen)
}

// neededReads are the sections, and parts of them, that fields are made from.
func neededReads(fields []string) []string {
	var want []string
	all := fieldReads()
	if slices.Contains(fields, wholeInput) {
		return slices.Clone(sections)
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
var later = map[string]string{"listeners.namespaces": "listeners.ip"}

// covers refuses a policy of the user that uses what it does not name among its reads: it would pass on evidence that was
// never seen. The section as a whole covers each part of it.
func covers(c *Check, m *ast.Module) error {
	for _, need := range neededReads(inputFields(m)) {
		section, _, _ := strings.Cut(need, ".")
		if older := later[need]; older != "" && slices.Contains(c.Reads, older) && !slices.Contains(c.Reads, need) {
			c.Reads = append(c.Reads, need)
		}
		if !slices.Contains(c.Reads, need) && !slices.Contains(c.Reads, section) {
			return fmt.Errorf("check %s: reads lacks %s, which the fields of input that it uses are made from", c.ID, need)
		}
	}
	return nil
}
