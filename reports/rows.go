package reports

import (
	"strconv"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// rowsAtOnce is how many bytes of a list are written at once.
const rowsAtOnce = 64 << 10

// row writes an element of a list of the report, with the indentation that it has there, as encoding/json writes it (TestJSONInPartsIsTheSame
// holds the two against each other). That package asks each value anew what it is, and indents what it wrote in a second pass.
type row struct {
	b      []byte
	indent string
	first  bool // no field was written yet
	err    error
}

// The indentations of the fields of an element, and of what is in it.
const (
	elementIndent = "\n      "
	innerIndent   = "\n        "
	causeIndent   = "\n          "
)

func (r *row) exposure(e *finding.Exposure) {
	r.open(elementIndent)
	r.name("service")
	r.service(&e.Service)
	r.text("zone", e.Zone)
	r.text("origin", e.Origin)
	r.text("family", e.Family)
	r.text("verdict", e.Verdict)
	r.some("witness", e.Witness)
	r.causes("stoppedBy", e.StoppedBy)
	r.causes("because", e.Because)
	r.texts("also", e.Also)
	if e.Checked {
		r.name("checked")
		r.b = append(r.b, "true"...)
	}
	r.conditions(e.Conditions)
	r.b = append(r.b, "\n    }"...)
}

func (r *row) service(s *finding.Service) {
	r.open(innerIndent)
	r.text("proto", s.Proto)
	r.text("address", s.Address)
	r.name("port")
	r.b = strconv.AppendInt(r.b, int64(s.Port), 10)
	r.some("device", s.Device)
	r.text("owner", s.Owner)
	r.text("namespace", s.Namespace)
	r.close(elementIndent)
}

func (r *row) forward(f *finding.Forward) {
	r.open(elementIndent)
	r.text("from", f.From)
	r.text("fromZone", f.FromZone)
	r.text("to", f.To)
	r.text("toZone", f.ToZone)
	r.text("family", f.Family)
	r.text("verdict", f.Verdict)
	r.some("witness", f.Witness)
	r.causes("stoppedBy", f.StoppedBy)
	r.causes("because", f.Because)
	r.conditions(f.Conditions)
	r.b = append(r.b, "\n    }"...)
}

func (r *row) causes(name string, list []finding.Cause) {
	objects(r, name, list, func(c *finding.Cause) {
		r.some("where", c.Where)
		r.text("text", c.Text)
	})
}

func (r *row) conditions(list []finding.Condition) {
	objects(r, "conditions", list, func(c *finding.Condition) {
		r.some("where", c.Where)
		r.text("text", c.Text)
		r.text("state", c.State)
	})
}

// objects is a list of objects, which is left out where it is empty.
func objects[T any](r *row, name string, list []T, fields func(*T)) {
	if len(list) == 0 {
		return
	}
	r.name(name)
	r.b = append(r.b, '[')
	for i := range list {
		if i > 0 {
			r.b = append(r.b, ',')
		}
		r.b = append(r.b, innerIndent...)
		r.open(causeIndent)
		fields(&list[i])
		r.close(innerIndent)
	}
	r.indent, r.first = elementIndent, false
	r.b = append(append(r.b, elementIndent...), ']')
}

// open begins an object whose fields have an indentation.
func (r *row) open(indent string) {
	r.b = append(r.b, '{')
	r.indent, r.first = indent, true
}

// close ends an object that is in one whose fields have another indentation.
func (r *row) close(outer string) {
	r.b = append(append(r.b, outer...), '}')
	r.indent, r.first = outer, false
}

// name begins a field.
func (r *row) name(name string) {
	if !r.first {
		r.b = append(r.b, ',')
	}
	r.first = false
	r.b = append(r.b, r.indent...)
	r.b = append(append(append(r.b, '"'), name...), `": `...)
}

// some is a text that is left out where it is empty.
func (r *row) some(name, s string) {
	if s != "" {
		r.text(name, s)
	}
}

// texts is a list of texts, which is left out where it is empty.
func (r *row) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	r.name(name)
	r.b = append(r.b, '[')
	for i, s := range list {
		if i > 0 {
			r.b = append(r.b, ',')
		}
		r.b = append(r.b, innerIndent...)
		r.quote(s)
	}
	r.b = append(append(r.b, elementIndent...), ']')
}

func (r *row) text(name, s string) {
	r.name(name)
	r.quote(s)
}

func (r *row) quote(s string) {
	if plain(s) {
		r.b = append(append(append(r.b, '"'), s...), '"')
		return
	}
	quoted, err := indented(s)
	if err != nil {
		r.err = err
	}
	r.b = append(r.b, escape.JSON(quoted)...)
}

// plain says whether a text stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}
