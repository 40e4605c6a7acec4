package remedy

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// tellsSentOn says of a port of the host that is closed which others rules redirect to it: the rules of a plan see what is sent there as it is sent, so that
// this way in stays, and who applies the plan hears then that the finding is left open.
func (p *Plan) tellsSentOn(d *finding.Deny, s *snapshot.Snapshot) {
	number, ok := map[string]uint8{"tcp": protoTCP, "udp": protoUDP}[d.Proto]
	if !ok || d.Port == 0 || d.ToZone != "" {
		return
	}
	var ports []string
	for _, port := range s.NFTables.Ruleset.SentOn(number, d.Port) {
		ports = append(ports, fmt.Sprintf("%s/%d", d.Proto, port))
	}
	if len(ports) == 0 {
		return
	}
	text := fmt.Sprintf("rules redirect %s to %s/%d: what is sent there the plan does not close, and what it cannot show to be closed is left open when it is applied; "+
		"take the redirect out, or limit it to who needs it", listed(ports), d.Proto, d.Port)
	if !slices.Contains(p.Warnings, text) {
		p.Warnings = append(p.Warnings, text)
	}
}
