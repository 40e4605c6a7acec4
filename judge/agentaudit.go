package judge

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// DocAudit is a report of OpenClaw's own audit that was imported.
type DocAudit struct {
	Key      string                     `json:"key"`      // file
	Whose    string                     `json:"whose"`    // who wrote the file: root, uid 1000, others (several can write it), or somebody who is not known
	Trusted  bool                       `json:"trusted"`  // root alone can have written it
	Unread   string                     `json:"unread"`   // why it is no report
	Old      string                     `json:"old"`      // when it was made, if that is long ago or not known
	Findings []snapshot.OpenClawFinding `json:"findings"` // as the report lists them
	// Suppressed are findings that its configuration leaves out, and Unlisted those that it counts and does not list.
	Suppressed int `json:"suppressed"`
	Unlisted   int `json:"unlisted"` // findings that are counted in the report and not listed
}

// audits adds what was imported.
func (b *builder) audits() {
	b.doc.AgentAudits = []DocAudit{}
	for i := range b.snap.Agents.Audits {
		a := &b.snap.Agents.Audits[i]
		d := DocAudit{
			Key: a.File, Whose: "somebody who is not known", Trusted: a.Word.Trusted(), Findings: orEmpty(a.Findings), Suppressed: a.Suppressed,
		}
		if a.Word.By != "" {
			d.Whose = a.Word.String()
		}
		if a.Read.State != snapshot.Present {
			d.Unread = a.Read.Reason
			if d.Unread == "" {
				d.Unread = fmt.Sprintf("its state is %q", a.Read.State)
			}
		}
		d.Old = old(a.Made, b.snap.CollectedAt)
		d.Unlisted = max(a.More, a.Critical+a.Warn-len(a.Findings), 0)
		b.doc.AgentAudits = append(b.doc.AgentAudits, d)
	}
	sortBy(b.doc.AgentAudits, func(d DocAudit) string { return d.Key })
}

// fresh is how long what another tool found nothing in counts as evidence.
const fresh = 30 * 24 * time.Hour

// old is when a report was made, if that is longer before a time than counts, after it, or not known.
func old(made int64, collected string) string {
	at, err := time.Parse(time.RFC3339, collected)
	if made == 0 || err != nil {
		return "at a time that is not known"
	}
	then := time.Unix(made, 0).UTC()
	if age := at.Sub(then); age > fresh || age < -24*time.Hour {
		return "on " + then.Format(time.DateOnly)
	}
	return ""
}
