package remedy

import (
	"net/netip"
	"reflect"
	"testing"
)

// TestKeyIsAllOfARule: rules that differ in any field have different keys, and those that differ in where a text ends too.
func TestKeyIsAllOfARule(t *testing.T) {
	keys := map[string]string{new(Rule).key(): "nothing"}
	add := func(what string, r *Rule) {
		if other, ok := keys[r.key()]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		keys[r.key()] = what
	}
	for i := range reflect.TypeFor[Rule]().NumField() {
		var r Rule
		f := reflect.ValueOf(&r).Elem().Field(i)
		switch f.Interface().(type) {
		case string:
			f.SetString("a")
		case int:
			f.SetInt(1)
		case bool:
			f.SetBool(true)
		case []string:
			f.Set(reflect.ValueOf([]string{"a"}))
		case []netip.Prefix:
			f.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
		default:
			t.Fatalf("%s is of a type that keys do not know", reflect.TypeFor[Rule]().Field(i).Name)
		}
		add(reflect.TypeFor[Rule]().Field(i).Name, &r)
	}
	add("two names", &Rule{Iifs: []string{"a", "b"}})
	add("one name of two", &Rule{Iifs: []string{"ab"}})
	add("an end and a start", &Rule{Iif: "ab", Oif: "c"})
	add("another end and start", &Rule{Iif: "a", Oif: "bc"})
}
