package reports

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// TestJSONInPartsIsTheSame: lists that are written element by element give the text of the whole.
func TestJSONInPartsIsTheSame(t *testing.T) {
	hostile := "\n  \"forwards\": []\u202e<&>\x7f"
	exposure := finding.Exposure{
		Service: finding.Service{Owner: hostile}, Zone: "external", Witness: hostile, StoppedBy: []finding.Cause{{Text: hostile}, {Where: "x"}}, Checked: true,
	}
	for name, r := range map[string]*finding.Report{
		"nil":   {},
		"empty": {Exposures: []finding.Exposure{}, Forwards: []finding.Forward{}, Zones: []finding.Zone{{Name: hostile}}},
		"one":   {Exposures: []finding.Exposure{exposure}, Host: finding.Host{Name: hostile}},
		"many": {
			Exposures: []finding.Exposure{exposure, {}, exposure}, Forwards: []finding.Forward{{From: hostile}, {Because: []finding.Cause{{Text: "a"}}}},
			Results: []finding.Result{{ID: hostile, Findings: []finding.Finding{}}},
		},
		"forwards": {Forwards: []finding.Forward{{}}},
		"full":     {Exposures: []finding.Exposure{full[finding.Exposure](t)}, Forwards: []finding.Forward{full[finding.Forward](t)}},
	} {
		var whole, parts bytes.Buffer
		e := json.NewEncoder(&whole)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		if err := writeJSON(&parts, []*finding.Report{r}, Options{}); err != nil {
			t.Fatal(err)
		}
		if want := escape.JSON(whole.Bytes()); !bytes.Equal(parts.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, parts.Bytes(), want)
		}
	}
}

// full is a value in which no field is left out.
func full[T any](t *testing.T) (v T) {
	t.Helper()
	var fill func(reflect.Value)
	fill = func(x reflect.Value) {
		switch x.Kind() {
		case reflect.String:
			x.SetString("a\u2028<\"\\b\xff")
		case reflect.Int:
			x.SetInt(-7)
		case reflect.Bool:
			x.SetBool(true)
		case reflect.Slice:
			x.Set(reflect.MakeSlice(x.Type(), 2, 2))
			fill(x.Index(0))
			fill(x.Index(1))
		case reflect.Struct:
			for _, field := range x.Fields() {
				fill(field)
			}
		default:
			t.Fatalf("a field of kind %s", x.Kind())
		}
	}
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// TestEachResultHasFindings: who reads a report asks each result for its findings (jq '.results[].findings[]'): a list is there also where it is empty,
// also of a report that was kept before.
func TestEachResultHasFindings(t *testing.T) {
	r := &finding.Report{Results: []finding.Result{{ID: "a/none", Status: finding.Pass}, {ID: "a/one", Status: finding.Fail, Findings: []finding.Finding{{Message: "m"}}}}}
	var out bytes.Buffer
	if err := writeJSON(&out, []*finding.Report{r}, Options{}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Results []map[string]any }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1} {
		if list, ok := got.Results[i]["findings"].([]any); !ok || len(list) != want {
			t.Errorf("result %d: %v", i, got.Results[i]["findings"])
		}
	}
	if r.Results[0].Findings != nil {
		t.Error("the report itself was changed")
	}
}
