package host

import "strings"

// maxUnitName is the longest name of a unit (UNIT_NAME_MAX without its NUL, src/basic/unit-name.h of systemd).
const maxUnitName = 255

// unitSuffixes are the types of units that a drop-in is ever written for.
var unitSuffixes = []string{".service", ".socket"}

// UnitName says whether a text is the name of a service or a socket unit as systemd has them: characters, length and
// suffix (systemd.unit(5); unit_name_is_valid in src/basic/unit-name.c). A template and a name that could be taken for an
// option or a hidden file are none.
func UnitName(name string) bool {
	stem := ""
	for _, suffix := range unitSuffixes {
		if s, ok := strings.CutSuffix(name, suffix); ok {
			stem = s
		}
	}
	if stem == "" || len(name) > maxUnitName || strings.ContainsAny(name[:1], "-.@") || strings.HasSuffix(stem, "@") {
		return false
	}
	for i := range len(stem) {
		c := stem[i]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte(":-_.\\@", c) >= 0:
		default:
			return false
		}
	}
	return true
}
