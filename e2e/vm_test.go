//go:build linux

package e2e

import (
	"os"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// TestBMCOfTheGuest reads the report that the guest of vm.sh wrote: its controller has every weakness
// that can be read in band.
func TestBMCOfTheGuest(t *testing.T) {
	file := os.Getenv("RINGFENCE_VM_REPORT")
	if file == "" {
		t.Skip("the machine lacks: the guest that make test-vm boots")
	}
	var r finding.Report
	readJSON(t, file, &r)
	var keys []string
	for _, res := range r.Results {
		if res.ID == "management/bmc-weak-authentication" {
			for _, f := range res.Findings {
				keys = append(keys, f.Resource.Key)
				t.Log(f.Severity, f.Message, f.Evidence)
			}
			for _, u := range res.Unknowns {
				t.Log("unknown:", u.Reason)
			}
		}
	}
	for _, want := range []string{"cipher suite 0", "anonymous user", "SNMP community", "authentication type none"} {
		if !slices.Contains(keys, want) {
			t.Errorf("no finding %q (%v)", want, keys)
		}
	}
}
