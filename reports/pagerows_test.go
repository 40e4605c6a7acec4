package reports

import (
	"testing"

	"github.com/ringfence/ringfence/finding"
)

// TestTitleSaysWhatIsAlikeOnce: what is said in the same way of several objects is said once, whichever of them comes first.
func TestTitleSaysWhatIsAlikeOnce(t *testing.T) {
	of := func(key, message, zone string) *finding.Finding {
		return &finding.Finding{Resource: finding.Resource{Key: key}, Message: message, Zone: zone}
	}
	c := cause{list: []*finding.Finding{
		of("agent claude-code", "Claude Code becomes root", ""), of("process /a", "process /a becomes root", ""), of("process /b", "process /b becomes root", ""),
		of("tcp 22", "tcp 22 is open from the external zone", "external"), of("tcp 22", "tcp 22 is open from the workload zone", "workload"),
		of("tcp 80", "tcp 80 is open from the workload zone", "workload"),
	}}
	const want = "Claude Code becomes root; process /a becomes root; also process /b; tcp 22 is open from the external zone; also from the workload zone, tcp 80 (workload)"
	if got := c.title(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
