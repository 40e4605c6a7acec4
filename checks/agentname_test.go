//go:build linux && !ringfence_portable

package checks

import "testing"

// TestProgramWithoutAName: who starts a program by an empty name, or one of spaces alone, stops nobody's collector.
func TestProgramWithoutAName(t *testing.T) {
	_, patterns, err := loadPatterns()
	if err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{""}, {" "}, {"", "serve"}, {"\t \n", "x"}} {
		for _, pt := range patterns {
			if why := pt.matches(&process{argv: argv}); why != "" {
				t.Errorf("%q is %s: %s", argv, pt.Name, why)
			}
		}
	}
}
