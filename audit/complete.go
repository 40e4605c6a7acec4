package audit

import (
	"slices"

	"github.com/ringfence/ringfence/exposure"
	"github.com/ringfence/ringfence/zones"
)

// Completions are what a shell offers for a value that help calls by that name; none where it is not known beforehand.
func Completions(name string) []string {
	switch name {
	case "ID", "ID|FINGERPRINT", "check":
		p, err := Policies(nil)
		if err != nil {
			return nil
		}
		var list []string
		for i := range p.Checks {
			list = append(list, p.Checks[i].ID)
		}
		return list
	case "zone":
		return slices.Concat([]string{zones.Host}, exposure.Networks, []string{"iface:"})
	}
	return nil
}
