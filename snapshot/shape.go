package snapshot

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/ruleset"
)

// kind is what a JSON value has to be.
type kind int

const (
	kindObject kind = iota // the fields of a struct
	kindMap                // any keys
	kindList
	kindArray // a list of a fixed length
	kindString
	kindHex
	kindText // a string that its type parses
	kindBool
	kindInt
)

// shape is what the format asks of a value. It is made from the Go type by the rules that the published JSON Schema
// is made by: each field without omitempty or omitzero is required, no other is allowed, and only lists and maps are
// ever null.
type shape struct {
	kind     kind
	null     bool
	fields   map[string]int // of an object, by exact name
	children []field
	required uint64 // which of them have to be there
	elem     *shape
	length   int     // of an array
	size     int     // bytes in memory
	bits     int     // of an integer
	signed   bool    // of an integer
	most     int     // values of the type in a snapshot; 0: no limit of their own
	err      error   // where there are more
	typ      int     // number of the type, to count by
	text     textNew // makes a value to parse into
}

type field struct {
	name    string
	shape   *shape
	pointee int // bytes of what it points to
}

type textNew func() encoding.TextUnmarshaler

// most bounds how many values of a type a snapshot has. Memory and time grow with them, and with some their square.
var most = map[reflect.Type]int{
	reflect.TypeFor[Process]():         200_000,
	reflect.TypeFor[Socket]():          1_000_000,
	reflect.TypeFor[SocketFamily]():    500_000,
	reflect.TypeFor[Cgroup]():          200_000,
	reflect.TypeFor[Link]():            200_000,
	reflect.TypeFor[Route]():           2_000_000,
	reflect.TypeFor[PolicyRule]():      100_000,
	reflect.TypeFor[Netns]():           50_000,
	reflect.TypeFor[Elsewhere]():       50_000,
	reflect.TypeFor[Container]():       50_000,
	reflect.TypeFor[Agent]():           50_000,
	reflect.TypeFor[Fact]():            2_000_000,
	reflect.TypeFor[ruleset.Table]():   10_000,
	reflect.TypeFor[ruleset.Chain]():   500_000,
	reflect.TypeFor[ruleset.Set]():     500_000,
	reflect.TypeFor[ruleset.Rule]():    1_000_000,
	reflect.TypeFor[ruleset.Expr]():    10_000_000,
	reflect.TypeFor[ruleset.Element](): MaxElements,

	reflect.TypeFor[ruleset.IPSetElement](): MaxElements,

	reflect.TypeFor[FirewallRule]():    100_000,
	reflect.TypeFor[WFPFilter]():       100_000,
	reflect.TypeFor[WFPCondition]():    2_000_000,
	reflect.TypeFor[WindowsAdapter]():  10_000,
	reflect.TypeFor[WindowsListener](): 100_000,
}

// snapshotShape is the shape of a whole snapshot, and the number of its types.
var snapshotShape = sync.OnceValues(func() (*shape, int) {
	known := map[reflect.Type]*shape{}
	return shapeOf(reflect.TypeFor[Snapshot](), known), len(known)
})

func shapeOf(t reflect.Type, known map[reflect.Type]*shape) *shape {
	if t.Kind() == reflect.Pointer {
		return shapeOf(t.Elem(), known)
	}
	if s := known[t]; s != nil {
		return s
	}
	s := &shape{size: int(t.Size()), typ: len(known), most: most[t]}
	s.err = fmt.Errorf("more than %d of them: %w", s.most, ErrTooManyValues)
	if t == reflect.TypeFor[WindowsListener]() { // older versions kept them all
		s.err = fmt.Errorf("%w: collect the host again, this version keeps 20,000 and says so", s.err)
	}
	known[t] = s
	if t == reflect.TypeFor[ruleset.Element]() || t == reflect.TypeFor[ruleset.IPSetElement]() {
		s.err = ErrTooMany
	}
	switch {
	case t == reflect.TypeFor[ruleset.Hex]():
		s.kind = kindHex
		return s
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		s.kind = kindText
		s.text = func() encoding.TextUnmarshaler { return reflect.New(t).Interface().(encoding.TextUnmarshaler) }
		return s
	}
	switch t.Kind() {
	case reflect.Struct:
		s.kind = kindObject
		s.addFields(t, known)
	case reflect.Map:
		s.kind, s.null, s.elem = kindMap, true, shapeOf(t.Elem(), known)
	case reflect.Slice:
		s.kind, s.null, s.elem = kindList, true, shapeOf(t.Elem(), known)
	case reflect.Array:
		s.kind, s.length, s.elem = kindArray, t.Len(), shapeOf(t.Elem(), known)
	case reflect.String:
		s.kind = kindString
	case reflect.Bool:
		s.kind = kindBool
	default:
		s.kind, s.bits = kindInt, t.Bits()
		s.signed = t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64
	}
	return s
}

// addFields adds the fields of a struct, of which none has more than 64.
func (s *shape) addFields(t reflect.Type, known map[reflect.Type]*shape) {
	s.fields = map[string]int{}
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		i := len(s.children)
		c := field{name: name, shape: shapeOf(f.Type, known)}
		if f.Type.Kind() == reflect.Pointer {
			c.pointee = int(f.Type.Elem().Size())
		}
		if !strings.Contains(opts, "omitempty") && !strings.Contains(opts, "omitzero") {
			s.required |= 1 << i
		}
		s.fields[name], s.children = i, append(s.children, c)
	}
}
