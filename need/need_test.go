package need

import (
	"errors"
	"fmt"
	"testing"
)

// told is a test that keeps how it would end.
type told struct {
	testing.TB
	end string
}

func (t *told) Helper() {}

func (t *told) Skipf(format string, args ...any) { t.end = "skip: " + fmt.Sprintf(format, args...) }

func (t *told) Fatalf(format string, args ...any) { t.end = "fail: " + fmt.Sprintf(format, args...) }

// TestKernel: a test is skipped for what the kernel has not, and for no other error.
func TestKernel(t *testing.T) {
	for out, want := range map[string]string{
		"Error: Could not process rule: No such file or directory": "skip: the kernel lacks: Error: Could not process rule: No such file or directory",
		"Error: Unknown device type.":                              "skip: the kernel lacks: Error: Unknown device type.",
		"Error: syntax error, unexpected string":                   "fail: exit: Error: syntax error, unexpected string",
		"iptables v1.8.9 (nf_tables): unknown option \"--dprot\"":  "fail: exit: iptables v1.8.9 (nf_tables): unknown option \"--dprot\"",
		"": "fail: exit: ",
	} {
		end := new(told)
		if Kernel(end, []byte(out), errors.New("exit")); end.end != want {
			t.Errorf("%q: %q, want %q", out, end.end, want)
		}
	}
	end := new(told)
	if Kernel(end, []byte("No such file or directory"), nil); end.end != "" {
		t.Errorf("without an error: %q", end.end)
	}
}
