package judge

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestInputIsTheDocument: what policies see is the document as JSON has it, forwards and services included, with each of their fields, and
// lists that are empty or not there.
func TestInputIsTheDocument(t *testing.T) {
	full := func() DocForward {
		var f DocForward
		n := 0
		fill(t, reflect.ValueOf(&f).Elem(), &n)
		return f
	}
	stopped := full()
	stopped.Any.Witness, stopped.Default.Witness = "", ""
	other := stopped
	other.Any.Origin = "eth9"
	split := stopped
	split.Any.StoppedBy = []string{"a", "b"}
	joined := stopped
	joined.Any.StoppedBy = []string{"a b"}
	empty := stopped
	empty.Any.StoppedBy, empty.Any.Because = []string{}, []string{}
	var service DocService
	n := 0
	fill(t, reflect.ValueOf(&service).Elem(), &n)
	nobodys := service
	nobodys.By, nobodys.Reach, nobodys.Owner = nil, map[string]DocReach{}, "bad \xff\xfe name"
	for name, doc := range map[string]*Document{
		"no services": {Services: []DocService{}},
		"services":    {Services: []DocService{service, nobodys, {}, {By: map[string]DocBy{}}}, Forwards: []DocForward{full()}},
		"nothing":     {},
		"no forwards": {Forwards: []DocForward{}},
		"forwards":    {Forwards: []DocForward{full(), full(), stopped, stopped, other, split, joined, empty, {}}},
	} {
		got, err := inputOf(doc)
		if err != nil {
			t.Fatal(err)
		}
		want, err := ast.InterfaceToValue(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got.Compare(want) != 0 || got.Hash() != want.Hash() {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
}

// fill gives every field of a value something of its own, also one that is added some day.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(t, field, n)
			}
		}
	case reflect.String:
		v.SetString(strconv.Itoa(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(*n))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, n)
			fill(t, value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}
