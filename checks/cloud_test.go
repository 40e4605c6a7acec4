//go:build linux && !ringfence_portable

package checks

import (
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestWhoseMachineItIs: clouds are known by their firmware, else by what cloud-init says; one that reads files of its own has no metadata service.
func TestWhoseMachineItIs(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"at home":             {map[string]string{"sys/class/dmi/id/sys_vendor": "QEMU\n"}, ""},
		"nothing":             {nil, ""},
		"aws":                 {map[string]string{"sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, "aws"},
		"gcp":                 {map[string]string{"sys/class/dmi/id/product_name": "Google Compute Engine\n"}, "gcp"},
		"azure":               {map[string]string{"sys/class/dmi/id/chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77\n"}, "azure"},
		"a laptop of theirs":  {map[string]string{"sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n", "sys/class/dmi/id/product_name": "Surface\n"}, ""},
		"a smaller one":       {map[string]string{"sys/class/dmi/id/sys_vendor": "Hetzner\n"}, "hetzner"},
		"by cloud-init":       {map[string]string{"run/cloud-init/cloud-id": "gce\n"}, "gcp"},
		"a file of one's own": {map[string]string{"run/cloud-init/cloud-id": "nocloud\n"}, ""},
	} {
		s, _ := hostOf(t, c.files)
		got := s.cloud()
		if got.Value != c.want || (got.State == snapshot.Absent) != (c.want == "") {
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}
