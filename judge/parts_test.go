package judge

import (
	"fmt"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestFindingsAreDecodedInParts: of a policy with very many findings each is there once and in order, beside what else it says; and what is wrong with
// one of the last is said.
func TestFindingsAreDecodedInParts(t *testing.T) {
	const n = 2*mostAtOnce + 7
	told := func(last any) ast.Object {
		set := ast.NewSet()
		for i := range n {
			set.Add(ast.NewTerm(ast.MustInterfaceToValue(map[string]any{"message": fmt.Sprintf("%05d", i)})))
		}
		set.Add(ast.NewTerm(ast.MustInterfaceToValue(map[string]any{"message": last})))
		return ast.NewObject(
			[2]*ast.Term{ast.StringTerm("finding"), ast.NewTerm(set)}, [2]*ast.Term{ast.StringTerm("not_applicable"), ast.StringTerm("why")},
			[2]*ast.Term{ast.StringTerm("_private"), ast.NewTerm(set)},
		)
	}
	read := func(all ast.Object) (*answer, int, error) {
		a, parts := new(answer), 0
		err := inParts(all, func(part ast.Object) error {
			parts++
			var more answer
			if err := decoded(part, &more); err != nil {
				return err
			}
			if len(more.Finding) > mostAtOnce {
				t.Errorf("%d findings at once", len(more.Finding))
			}
			a.add(&more)
			return nil
		})
		return a, parts, err
	}
	a, parts, err := read(told("99999"))
	if err != nil || parts < 3 {
		t.Fatalf("%d parts: %v", parts, err)
	}
	var list []string
	for _, f := range a.Finding {
		list = append(list, f.Message)
	}
	if len(list) != n+1 || !slices.IsSorted(list) || len(slices.Compact(list)) != n+1 || a.NotApplicable != "why" {
		t.Errorf("%d findings of %d, %q", len(list), n+1, a.NotApplicable)
	}
	if _, _, err := read(told(5)); err == nil {
		t.Error("a message that is a number is taken")
	}
}
