//go:build linux && !ringfence_portable

package fixing

import (
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
)

// TestAgainHasWhatThePlanIsMadeBy: each flag that was given and that a plan depends on, as a shell takes it, and paths from anywhere.
func TestAgainHasWhatThePlanIsMadeBy(t *testing.T) {
	var f Flags
	c := &cobra.Command{Use: "apply", Run: func(*cobra.Command, []string) {}}
	c.Flags().String("config", "", "")
	f.Apply(c)
	f.Plan(c)
	c.SetArgs([]string{"--mode", "default-deny", "--confirm", "auto", "--keep", "tcp/443@fd00::/8", "--keep", "udp/53", "--allow-from", "a b", "--config", "c'd.yaml"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs("c")
	want := ` --allow-from 'a b' --config '` + path + `'\''d.yaml' --keep tcp/443@fd00::/8 --keep udp/53 --mode default-deny`
	if got := f.Making().Again; err != nil || got != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
}
