package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// The objects of a ClusterReport of openreports.io/v1alpha1.
type (
	openReport struct {
		APIVersion    string       `json:"apiVersion"`
		Kind          string       `json:"kind"`
		Metadata      openMeta     `json:"metadata"`
		Source        string       `json:"source"`
		Configuration openConfig   `json:"configuration"`
		Summary       openSummary  `json:"summary"`
		Results       []openResult `json:"results"`
	}
	openConfig struct {
		Limits openLimits `json:"limits"`
	}
	openLimits struct {
		MaxResults int `json:"maxResults"`
	}
	openMeta struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
	openSummary struct {
		Pass  int `json:"pass"`
		Fail  int `json:"fail"`
		Warn  int `json:"warn"`
		Error int `json:"error"`
		Skip  int `json:"skip"`
	}
	openResult struct {
		Source     string            `json:"source"`
		Policy     string            `json:"policy"`
		Rule       string            `json:"rule,omitempty"`
		Category   string            `json:"category"`
		Severity   string            `json:"severity"`
		Result     string            `json:"result"`
		Scored     bool              `json:"scored"`
		Message    string            `json:"message"`
		Timestamp  openTime          `json:"timestamp"`
		Properties map[string]string `json:"properties,omitempty"`
	}
	openTime struct {
		Seconds int64 `json:"seconds"`
		Nanos   int32 `json:"nanos"`
	}
)

// Objects in etcd are small (1.5 MiB with all that the API server adds): at most so many results in so many bytes, of which the worst come
// first, and so many characters of a text. What is left out is counted in the summary and in an annotation.
const (
	openResults = 500
	openBytes   = 1 << 20
	openText    = 500
	openName    = 200
)

var openState = map[string]string{
	finding.Pass: "pass", finding.Fail: "fail", finding.Unknown: "error", finding.NotApplicable: "skip", finding.Waived: "skip",
}

// writeOpenReports writes the object of one host; kubectl and clients of the API take JSON.
func writeOpenReports(w io.Writer, list []*finding.Report, _ Options) error {
	r := list[0]
	out := openReport{
		APIVersion: "openreports.io/v1alpha1", Kind: "ClusterReport", Source: "ringfence", Results: []openResult{},
		Configuration: openConfig{openLimits{openResults}},
		Metadata: openMeta{
			Name: dnsName("ringfence-" + r.Host.Name), Labels: map[string]string{"app.kubernetes.io/managed-by": "ringfence"},
			Annotations: map[string]string{"ringfence/host": upTo(Clean(r.Host.Name, false), openText), "ringfence/snapshot": Clean(r.Snapshot.Digest, false)},
		},
	}
	if r.Trust != nil {
		out.Metadata.Annotations["ringfence/verified"] = upTo(Clean(verified(r.Trust), false), openText)
	}
	var at openTime
	if t, err := time.Parse(time.RFC3339, r.Snapshot.CollectedAt); err == nil {
		at.Seconds = t.Unix()
	}
	out.fill(entries(list[:1]), at)
	return encode(w, "OpenReports object", out)
}

// fill adds the rows, the worst first, as long as there is room.
func (o *openReport) fill(rows []entry, at openTime) {
	bytes, full := 0, false
	for _, status := range []string{finding.Fail, finding.Unknown, finding.Waived, finding.NotApplicable, finding.Pass} {
		for _, sev := range finding.Severities {
			for i := range rows {
				e := &rows[i]
				if e.status() != status || e.severity() != sev {
					continue
				}
				o.Summary.count(openState[status])
				if full {
					continue
				}
				one := e.result(at)
				text, err := json.Marshal(one)
				bytes += len(text)
				if full = err != nil || bytes > openBytes || len(o.Results) == openResults; !full {
					o.Results = append(o.Results, one)
				}
			}
		}
	}
	if full {
		o.Metadata.Annotations["ringfence/left-out"] = fmt.Sprintf("%d of %d results, of the least weight", len(rows)-len(o.Results), len(rows))
	}
}

func (s *openSummary) count(result string) {
	switch result {
	case "pass":
		s.Pass++
	case "fail":
		s.Fail++
	case "error":
		s.Error++
	default:
		s.Skip++
	}
}

func (e *entry) result(at openTime) openResult {
	area, _, _ := strings.Cut(e.res.ID, "/")
	out := openResult{
		Source: "ringfence", Policy: Clean(e.res.ID, false), Category: Clean(area, false), Severity: e.severity(), Result: openState[e.status()], Scored: true,
		Message: upTo(e.message(), openText), Timestamp: at,
	}
	if e.f != nil {
		out.Properties = map[string]string{
			"object": upTo(Clean(e.f.Resource.Kind+" "+e.f.Resource.Key, false), openText), "fingerprint": e.f.Fingerprint, "remedy": upTo(e.remedy(), openText),
		}
	}
	return out
}

// dnsName is a name that an object of Kubernetes can have (RFC 1123).
func dnsName(s string) string {
	s = strings.ToLower(strings.ReplaceAll(slug(s), "_", "-"))
	if len(s) > openName {
		s = s[:openName]
	}
	var parts []string
	for p := range strings.SplitSeq(s, ".") {
		if p = strings.Trim(p, "-"); p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ".")
}
