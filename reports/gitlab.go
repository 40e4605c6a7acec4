package reports

import (
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/finding"
)

// The objects of GitLab's security report of type sast, version 15 of its schema.
type (
	gitlabReport struct {
		Version         string                `json:"version"`
		Schema          string                `json:"schema"`
		Scan            gitlabScan            `json:"scan"`
		Vulnerabilities []gitlabVulnerability `json:"vulnerabilities"`
	}
	gitlabScan struct {
		Analyzer  gitlabTool      `json:"analyzer"`
		Scanner   gitlabTool      `json:"scanner"`
		Type      string          `json:"type"`
		StartTime string          `json:"start_time"` // without a zone, in UTC
		EndTime   string          `json:"end_time"`
		Status    string          `json:"status"`
		Messages  []gitlabMessage `json:"messages,omitempty"`
	}
	gitlabMessage struct {
		Level string `json:"level"`
		Value string `json:"value"`
	}
	gitlabTool struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		URL     string       `json:"url,omitempty"`
		Version string       `json:"version"`
		Vendor  gitlabVendor `json:"vendor"`
	}
	gitlabVendor struct {
		Name string `json:"name"`
	}
	gitlabVulnerability struct {
		ID          string             `json:"id"`
		Name        string             `json:"name"`
		Description string             `json:"description"`
		Severity    string             `json:"severity"`
		Solution    string             `json:"solution,omitempty"`
		Location    gitlabLocation     `json:"location"`
		Identifiers []gitlabIdentifier `json:"identifiers"`
	}
	gitlabLocation struct {
		File      string `json:"file"`
		StartLine int    `json:"start_line"`
	}
	gitlabIdentifier struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
		URL   string `json:"url,omitempty"`
	}
)

// What GitLab's schema lets a text have, in characters.
const (
	gitlabName     = 255
	gitlabSolution = 7000
)

// withoutZone is a time in UTC without its zone; what is none is the beginning of 1970.
func withoutZone(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

// writeGitLab writes for GitLab, which takes the texts for Markdown.
func writeGitLab(w io.Writer, list []*finding.Report, _ Options) error {
	r := list[0]
	at := withoutZone(r.Snapshot.CollectedAt)
	tool := gitlabTool{ID: "ringfence", Name: "ringfence", URL: infoURI, Version: Clean(r.Tool.Version, false), Vendor: gitlabVendor{"ringfence"}}
	out := gitlabReport{
		Version: "15.0.4", Schema: "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v15.0.4/dist/sast-report-format.json",
		Scan:            gitlabScan{Analyzer: tool, Scanner: tool, Type: "sast", StartTime: at, EndTime: at, Status: "success"},
		Vulnerabilities: []gitlabVulnerability{},
	}
	if r.Trust != nil && !r.Trust.Verified {
		out.Scan.Messages = append(out.Scan.Messages, gitlabMessage{"warn", upTo("not verified: "+Clean(r.Trust.Reason, false), gitlabName)})
	}
	for _, e := range entries(list[:1]) {
		if e.status() == finding.Unknown {
			out.Scan.Messages = append(out.Scan.Messages, gitlabMessage{"warn", upTo("not decided: "+Clean(e.res.ID, false)+": "+e.message(), gitlabName)})
		}
		if e.f == nil && e.status() == finding.Pass && len(e.res.Under) > 0 {
			out.Scan.Messages = append(out.Scan.Messages, gitlabMessage{"info", upTo(Clean(e.res.ID, false)+" passes "+e.message(), gitlabName)})
		}
		if e.f == nil || e.status() != finding.Fail && !e.carried {
			continue
		}
		loc := place(r, e.f.Resource)
		v := gitlabVulnerability{
			ID: uuid(e.identity()), Name: upTo(oneLine(e.res.Title), gitlabName), Severity: strings.ToUpper(e.f.Severity[:1]) + e.f.Severity[1:],
			Description: code(upTo(e.message(), gitlabSolution)) + "\n\nSeen: " + code(upTo(joined(e.f.Evidence), gitlabSolution)) + "\n\n" + markdown(Clean(strings.TrimSpace(e.res.Description), true)),
			Solution:    codeUpTo(e.remedy(), gitlabSolution), Location: gitlabLocation{"hosts/" + slug(r.Host.Name) + "/" + loc.Physical.Artifact.URI, 1},
			Identifiers: []gitlabIdentifier{{"ringfence_check", "ringfence " + e.res.ID, e.res.ID, infoURI + "/blob/main/docs/checks.md#" + anchor(e.res.ID)}},
		}
		for _, cwe := range e.res.References.CWE {
			n := strings.TrimPrefix(cwe, "CWE-")
			v.Identifiers = append(v.Identifiers, gitlabIdentifier{"cwe", Clean(cwe, false), Clean(n, false), "https://cwe.mitre.org/data/definitions/" + slug(n) + ".html"})
		}
		out.Vulnerabilities = append(out.Vulnerabilities, v)
	}
	return encode(w, "GitLab report", out)
}
