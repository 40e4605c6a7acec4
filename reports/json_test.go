package reports

import (
	"bytes"
	"encoding/json"
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
			Results: []finding.Result{{ID: hostile}},
		},
		"forwards": {Forwards: []finding.Forward{{}}},
	} {
		var whole, parts bytes.Buffer
		e := json.NewEncoder(&whole)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		if err := writeJSON(&parts, r, Options{}); err != nil {
			t.Fatal(err)
		}
		if want := escape.JSON(whole.Bytes()); !bytes.Equal(parts.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, parts.Bytes(), want)
		}
	}
}
