//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
	"github.com/ringfence/ringfence/snapshot"
)

// TestNamesOfSettings: policies are refused that ask a managed server for a setting of another name than these: what is collected has one of them.
func TestNamesOfSettings(t *testing.T) {
	all := apiServerSettings(nil, &process{})
	maps.Copy(all, (&kubeletSettings{}).facts(errors.New("x")))
	maps.Copy(all, given(etcdCertificates(map[string]string{})))
	for _, server := range fixtures.Host().Management.Servers {
		maps.Copy(all, server.Settings)
	}
	if len(all) < 12 {
		t.Errorf("%d settings alone: %v", len(all), all)
	}
	for name := range all {
		if !slices.Contains(snapshot.ManagedSettings, name) {
			t.Errorf("setting %q is none of the known ones", name)
		}
	}
}
