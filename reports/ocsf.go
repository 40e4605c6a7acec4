package reports

import (
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// The objects of the class Compliance Finding (2003) of OCSF 1.3.
type (
	ocsfFinding struct {
		ActivityID  int              `json:"activity_id"`
		Activity    string           `json:"activity_name"`
		CategoryUID int              `json:"category_uid"`
		Category    string           `json:"category_name"`
		ClassUID    int              `json:"class_uid"`
		Class       string           `json:"class_name"`
		TypeUID     int              `json:"type_uid"`
		Type        string           `json:"type_name"`
		Time        int64            `json:"time"` // milliseconds since 1970
		SeverityID  int              `json:"severity_id"`
		Severity    string           `json:"severity"`
		StatusID    int              `json:"status_id"`
		Status      string           `json:"status"`
		Message     string           `json:"message"`
		Metadata    ocsfMetadata     `json:"metadata"`
		Info        ocsfInfo         `json:"finding_info"`
		Compliance  ocsfCompliance   `json:"compliance"`
		Remediation *ocsfRemediation `json:"remediation,omitempty"`
		Resources   []ocsfResource   `json:"resources,omitempty"`
		Device      ocsfDevice       `json:"device"`
		// Unmapped is what the class has no field for: whether it is known who the snapshot is from.
		Unmapped map[string]string `json:"unmapped,omitempty"`
	}
	ocsfMetadata struct {
		Version  string      `json:"version"`
		Product  ocsfProduct `json:"product"`
		Profiles []string    `json:"profiles"`
		UID      string      `json:"uid,omitempty"`
	}
	ocsfProduct struct {
		Name    string `json:"name"`
		Vendor  string `json:"vendor_name"`
		Version string `json:"version"`
	}
	ocsfInfo struct {
		UID         string   `json:"uid"`
		Title       string   `json:"title"`
		Description string   `json:"desc"`
		Created     int64    `json:"created_time"`
		Types       []string `json:"types"`
	}
	ocsfCompliance struct {
		Control   string   `json:"control"`
		Standards []string `json:"standards"`
		Status    string   `json:"status"`
		StatusID  int      `json:"status_id"`
		Detail    string   `json:"status_detail,omitempty"`
	}
	ocsfRemediation struct {
		Description string   `json:"desc"`
		References  []string `json:"references,omitempty"`
	}
	ocsfResource struct {
		Name string `json:"name"`
		Type string `json:"type"`
		UID  string `json:"uid,omitempty"`
	}
	ocsfDevice struct {
		Hostname string `json:"hostname"`
		UID      string `json:"uid,omitempty"`
		TypeID   int    `json:"type_id"`
		Type     string `json:"type"`
	}
)

var ocsfSeverity = map[string]int{"info": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}

// ocsfStatus are the states of a compliance check: what is unknown is no pass.
var ocsfStatus = map[string]struct {
	id   int
	name string
}{
	finding.Pass: {1, "Pass"}, finding.Fail: {3, "Fail"}, finding.Unknown: {0, "Unknown"}, finding.NotApplicable: {99, "Not applicable"}, finding.Waived: {99, "Waived"},
}

// writeOCSF writes an array of compliance findings: one for each finding, for each check without any, and for what one with findings leaves open.
func writeOCSF(w io.Writer, list []*finding.Report, _ Options) error {
	out := []ocsfFinding{}
	for _, e := range entries(list) {
		out = append(out, e.ocsf())
	}
	return encode(w, "OCSF", out)
}

func (e *entry) ocsf() ocsfFinding {
	var at int64
	if t, err := time.Parse(time.RFC3339, e.r.Snapshot.CollectedAt); err == nil {
		at = t.UnixMilli()
	}
	refs := e.res.References
	standards := []string{}
	for _, l := range []struct {
		name string
		list []string
	}{{"CIS ", refs.CIS}, {"NIST-800-53 ", refs.NIST}} {
		for _, x := range l.list {
			standards = append(standards, Clean(l.name+x, false))
		}
	}
	state := ocsfStatus[e.status()]
	statusID, status := 1, "New"
	if e.status() == finding.Waived {
		statusID, status = 3, "Suppressed"
	}
	severity := e.severity()
	if e.status() != finding.Fail && !e.carried {
		severity = "info"
	}
	host := Clean(e.r.Host.Name, false)
	out := ocsfFinding{
		ActivityID: 1, Activity: "Create", CategoryUID: 2, Category: "Findings", ClassUID: 2003, Class: "Compliance Finding",
		TypeUID: 200301, Type: "Compliance Finding: Create", Time: at, SeverityID: ocsfSeverity[severity],
		Severity: map[bool]string{true: "Informational", false: strings.ToUpper(severity[:1]) + severity[1:]}[severity == "info"], StatusID: statusID, Status: status, Message: e.message(),
		Metadata: ocsfMetadata{"1.3.0", ocsfProduct{"ringfence", "ringfence", Clean(e.r.Tool.Version, false)}, []string{"host"}, Clean(e.r.Snapshot.Digest, false)},
		Info:     ocsfInfo{e.identity(), oneLine(e.res.Title), e.message(), at, []string{Clean(e.res.ID, false)}},
		Compliance: ocsfCompliance{
			Control: Clean(e.res.ID, false), Standards: standards, Status: state.name, StatusID: state.id, Detail: oneLine(e.res.Reason),
		},
		Device: ocsfDevice{host, Clean(e.r.Host.ID, false), 1, "Server"},
	}
	if e.r.Trust != nil {
		out.Unmapped = map[string]string{"verified": Clean(verified(e.r.Trust), false)}
	}
	if seen := e.evidence(); len(seen) > 0 {
		out.Compliance.Detail = joined(seen)
	}
	if e.f != nil {
		out.Resources = []ocsfResource{{Clean(e.f.Resource.Key, false), Clean(e.f.Resource.Kind, false), e.f.Fingerprint}}
	}
	if text := e.remedy(); text != "" {
		out.Remediation = &ocsfRemediation{text, refs.URLs}
	}
	return out
}
