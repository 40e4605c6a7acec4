package judge

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/words"
)

// compileErrors is what the compiler does not take, an error a line.
func compileErrors(list ast.Errors) error {
	var all []error
	for _, e := range list {
		all = append(all, fmt.Errorf("%w: %w", ErrPolicy, inWords(e)))
	}
	return errors.Join(all...)
}

// inWords says of a field that the document does not have which one was probably meant: the compiler lists all that there are.
func inWords(e *ast.Error) error {
	d, ok := e.Details.(*ast.RefErrInvalidDetail)
	if !ok || e.Location == nil || d.Pos < 1 || d.Pos >= len(d.Ref) || len(d.OneOf) == 0 {
		return e
	}
	name, ok := d.Ref[d.Pos].Value.(ast.String)
	if !ok {
		return e
	}
	var fields []string
	for _, v := range d.OneOf {
		if s, ok := v.(ast.String); ok {
			fields = append(fields, string(s))
		}
	}
	hint := "ringfence checks document shows what there is"
	if near := words.Nearest(string(name), fields); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return fmt.Errorf("%s:%d: undefined ref: %s: %s has no %s; %s", e.Location.File, e.Location.Row, d.Ref[:d.Pos+1], d.Ref[:d.Pos], string(name), hint)
}
