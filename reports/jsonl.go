package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
)

// Row is a line of the JSON lines: one thing of one report, with where and when it is from. Lines of many hosts stand in one file.
type Row struct {
	Schema      string `json:"schema"`             // ringfence.row/v1
	Row         string `json:"row"`                // result, finding, carried (a finding of before that is not known to be gone), exposure, forward, coverage, assumption or, of several hosts, host: which of the fields below it has
	Host        string `json:"host"`               // as the host calls itself
	HostID      string `json:"hostId,omitempty"`   // its machine id
	BootID      string `json:"bootId,omitempty"`   // of the boot that it was seen in
	CollectedAt string `json:"collectedAt"`        // when it was seen (RFC 3339, UTC)
	Tool        string `json:"tool"`               // version
	Policies    string `json:"policies,omitempty"` // digest
	Config      string `json:"config,omitempty"`   // digest
	Snapshot    string `json:"snapshot"`           // digest
	// Verified says whether it is known who the snapshot is from, by a signature; a host that audited itself has no snapshot to sign.
	Verified *bool  `json:"verified,omitempty"`
	Signer   string `json:"signer,omitempty"` // the name that the key is known by

	Check    string            `json:"check,omitempty"`    // of result, finding and carried
	Result   *rowResult        `json:"result,omitempty"`   // what came of a check
	Finding  *finding.Finding  `json:"finding,omitempty"`  // what is wrong
	Exposure *finding.Exposure `json:"exposure,omitempty"` // who reaches what listens
	Forward  *finding.Forward  `json:"forward,omitempty"`  // what the host passes on between two interfaces
	Coverage *finding.Coverage `json:"coverage,omitempty"` // how well a part of the host was seen
	// Assumption is one of a threat model, held against the host.
	Assumption *finding.Assumption `json:"assumption,omitempty"`
	// State is what came of a host: missing, refused, judged or older.
	State *finding.FleetHost `json:"state,omitempty"`
}

// rowResult is a result without its findings, which are rows, and without what its check is about.
type rowResult struct {
	Status   string `json:"status"`           // fail, pass, unknown, not_applicable or waived
	Severity string `json:"severity"`         // of the check, or of its worst finding
	Reason   string `json:"reason,omitempty"` // why it is unknown, or what it left open
	Findings int    `json:"findings"`         // how many there are
	// Unknowns is what could not be decided, Waiver who accepted it that the answer is not known.
	Unknowns []finding.Unclear `json:"unknowns,omitempty"`
	Waiver   *finding.Waiver   `json:"waiver,omitempty"`
	// Under are the assumptions that it rests on.
	Under []finding.Under `json:"under,omitempty"`
}

const rowSchema = "ringfence.row/v1"

func writeJSONLines(w io.Writer, list []*finding.Report, _ Options) error {
	out := bufio.NewWriterSize(w, rowsAtOnce)
	for _, r := range list {
		for _, row := range rowsOf(r) {
			b, err := json.Marshal(row)
			if err == nil {
				_, err = out.Write(append(escape.JSON(b), '\n'))
			}
			if err != nil {
				return fmt.Errorf("write JSON lines: %w", err)
			}
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write JSON lines: %w", err)
	}
	return nil
}

// rowsOf are the lines of a report.
func rowsOf(r *finding.Report) (out []Row) {
	head := Row{
		Schema: rowSchema, Host: r.Host.Name, HostID: r.Host.ID, BootID: r.Host.BootID, CollectedAt: r.Snapshot.CollectedAt, Tool: r.Tool.Version,
		Policies: r.Tool.Policies, Config: r.Tool.Config, Snapshot: r.Snapshot.Digest,
	}
	head.trust(r.Trust)
	add := func(kind string, fill func(*Row)) {
		row := head
		row.Row = kind
		fill(&row)
		out = append(out, row)
	}
	for i := range r.Results {
		res := &r.Results[i]
		add("result", func(x *Row) {
			x.Check, x.Result = res.ID, &rowResult{res.Status, res.Severity, res.Reason, len(res.Findings), res.Unknowns, res.Waiver, res.Under}
		})
		for j := range res.Findings {
			add("finding", func(x *Row) { x.Check, x.Finding = res.ID, &res.Findings[j] })
		}
	}
	for i := range r.Carried {
		add("carried", func(x *Row) { x.Check, x.Finding = r.Carried[i].Check, &r.Carried[i].Finding })
	}
	for i := range r.Exposures {
		add("exposure", func(x *Row) { x.Exposure = &r.Exposures[i] })
	}
	for i := range r.Forwards {
		add("forward", func(x *Row) { x.Forward = &r.Forwards[i] })
	}
	for i := range r.Coverage {
		add("coverage", func(x *Row) { x.Coverage = &r.Coverage[i] })
	}
	for i := range r.Assumptions {
		add("assumption", func(x *Row) { x.Assumption = &r.Assumptions[i] })
	}
	return out
}
