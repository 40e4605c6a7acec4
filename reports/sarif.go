package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/finding"
)

// The SARIF 2.1.0 objects that are written. They are our own: the public Go libraries write empty
// arrays and default members that make consumers drop lines, CWE numbers or the whole file. Every
// optional member is left out where it has nothing to say.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool           `json:"tool"`
		Automation  sarifAutomation     `json:"automationDetails"`
		Invocations []sarifInvocation   `json:"invocations"`
		URIBases    map[string]sarifURI `json:"originalUriBaseIds"`
		Results     []sarifResult       `json:"results"`
		ColumnKind  string              `json:"columnKind"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name            string      `json:"name"`
		SemanticVersion string      `json:"semanticVersion,omitempty"`
		Version         string      `json:"version"`
		InformationURI  string      `json:"informationUri"`
		Rules           []sarifRule `json:"rules"`
		Notifications   []sarifRule `json:"notifications,omitempty"`
	}
	sarifRule struct {
		ID               string          `json:"id"`
		Name             string          `json:"name"`
		ShortDescription sarifText       `json:"shortDescription"`
		FullDescription  sarifText       `json:"fullDescription"`
		Help             sarifText       `json:"help"`
		HelpURI          string          `json:"helpUri"`
		DefaultConfig    *sarifConfig    `json:"defaultConfiguration,omitempty"`
		Properties       *sarifRuleProps `json:"properties,omitempty"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifRuleProps struct {
		Tags             []string `json:"tags"`
		Precision        string   `json:"precision"`
		SecuritySeverity string   `json:"security-severity"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		EndTimeUTC    string              `json:"endTimeUtc,omitempty"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Descriptor sarifRef  `json:"descriptor"`
		Level      string    `json:"level"`
		Message    sarifText `json:"message"`
	}
	sarifRef struct {
		ID string `json:"id"`
	}
	sarifURI struct {
		URI         string     `json:"uri"`
		BaseID      string     `json:"uriBaseId,omitempty"`
		Description *sarifText `json:"description,omitempty"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Kind         string            `json:"kind"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		CodeFlows    []sarifCodeFlow   `json:"codeFlows,omitempty"`
		Fixes        []sarifFix        `json:"fixes,omitempty"`
		Properties   map[string]string `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifURI    `json:"artifactLocation"`
		Region   sarifRegion `json:"region"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
	sarifLogical struct {
		Name          string `json:"name"`
		QualifiedName string `json:"fullyQualifiedName"`
		Kind          string `json:"kind"`
	}
	sarifCodeFlow struct {
		ThreadFlows []sarifThreadFlow `json:"threadFlows"`
	}
	sarifThreadFlow struct {
		Locations []sarifStep `json:"locations"`
	}
	sarifStep struct {
		Location sarifLocation `json:"location"`
	}
	sarifFix struct {
		Description sarifText     `json:"description"`
		Changes     []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		Artifact     sarifURI           `json:"artifactLocation"`
		Replacements []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		Deleted sarifRegion `json:"deletedRegion"`
	}
)

// The limits of GitHub code scanning.
const (
	maxResults = 5000 // more are not shown
	maxText    = 1000
	maxRuns    = 20 // of one file
	maxTags    = 10
	infoURI    = "https://github.com/ringfence/ringfence"
	rootBase   = "HOSTROOT"
	gapRule    = "coverage/collector"
	openRule   = "coverage/undecided"
	underRule  = "coverage/assumed"
)

// writeSARIF writes one run for each host. Failures become results, and questions that are open: an alert that has no result any more is closed as
// fixed. Consumers ignore or misread kinds other than fail. What could not be seen is in the notifications of the invocation too.
func writeSARIF(w io.Writer, list []*finding.Report, _ Options) error {
	if len(list) > maxRuns {
		return fmt.Errorf("write SARIF: %d hosts: GitHub takes %d in one file", len(list), maxRuns)
	}
	doc := sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
	}
	for _, r := range list {
		doc.Runs = append(doc.Runs, sarifRunOf(r))
	}
	return encode(w, "SARIF", doc)
}

func sarifRunOf(r *finding.Report) sarifRun {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "ringfence", Version: r.Tool.Version, InformationURI: infoURI, Rules: []sarifRule{},
		}},
		// GitHub keeps alerts apart by the part before the last slash: one category for each host.
		Automation: sarifAutomation{ID: "ringfence/" + slug(r.Host.Name) + "/"},
		URIBases: map[string]sarifURI{rootBase: {
			URI: "file:///", Description: &sarifText{Text: "The root of the audited host."},
		}},
		Results: []sarifResult{}, ColumnKind: "unicodeCodePoints",
	}
	if semver.MatchString(r.Tool.Version) {
		run.Tool.Driver.SemanticVersion = r.Tool.Version
	}
	for i := range r.Results {
		res := &r.Results[i]
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule(res))
		if res.Status != finding.Fail {
			continue
		}
		for _, f := range res.Findings {
			if f.Waiver.Holds() { // consumers read suppressions in different ways, or not at all
				continue
			}
			run.Results = append(run.Results, sarifFinding(r, res, i, &f))
		}
	}
	run.undecided(r)
	for i := range run.Results {
		if r.Trust != nil {
			run.Results[i].Properties["verified"] = Clean(verified(r.Trust), false)
		}
	}
	if len(run.Results) > maxResults {
		slices.SortStableFunc(run.Results, func(a, b sarifResult) int { return weight(r, &a) - weight(r, &b) })
		run.Results = run.Results[:maxResults]
	}
	run.Invocations = []sarifInvocation{invocation(r)}
	run.Tool.Driver.Notifications = notified(run.Invocations[0].Notifications)
	return run
}

// weight ranks results where not all are shown: one that is not decided keeps an alert of its check open, and is as severe as that.
func weight(r *finding.Report, s *sarifResult) int {
	if s.Properties["status"] == finding.Unknown && s.RuleIndex < len(r.Results) {
		return finding.Rank(r.Results[s.RuleIndex].Severity)
	}
	return finding.Rank(s.Properties["severity"])
}

// undecided adds a result for each question that is open. One about a resource is told as what would be found there, so that the alert of
// that finding stays as it is; one about a check as a whole has a rule of its own.
func (run *sarifRun) undecided(r *finding.Report) {
	index, told := map[string]int{}, map[string]bool{}
	for i := range r.Results {
		index[r.Results[i].ID] = i
		for j := range r.Results[i].Findings {
			told[r.Results[i].Findings[j].Fingerprint] = true
		}
	}
	for _, o := range r.Open() {
		res := finding.Result{ID: o.Check, Severity: "medium"}
		f := finding.Finding{Message: "Not decided: " + o.Reason, Severity: "medium"}
		at := index[o.Check]
		if o.Resource != nil {
			f.Resource, f.Fingerprint = *o.Resource, finding.Fingerprint(o.Check, *o.Resource)
		} else {
			f.Resource, f.Message = finding.Resource{Kind: "check", Key: o.Check}, "Not decided: "+o.Check+": "+o.Reason
			res.ID, f.Fingerprint = openRule, finding.Fingerprint(openRule, f.Resource)
			if at = len(r.Results); len(run.Tool.Driver.Rules) == at {
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule(&undecidedRule))
			}
		}
		if told[f.Fingerprint] {
			continue // it is known to be wrong
		}
		told[f.Fingerprint] = true
		run.open(r, &res, at, &f)
	}
	for _, e := range carried(r) { // as it was: where a check as a whole is unknown nothing else keeps its alerts open
		if !told[e.f.Fingerprint] {
			told[e.f.Fingerprint] = true
			f := *e.f
			f.Message = e.message()
			run.open(r, e.res, index[e.res.ID], &f)
		}
	}
}

// open adds a result that is not decided.
func (run *sarifRun) open(r *finding.Report, res *finding.Result, at int, f *finding.Finding) {
	out := sarifFinding(r, res, at, f)
	out.Properties["status"] = finding.Unknown
	run.Results = append(run.Results, out)
}

// undecidedRule is what a check that came to no end is reported by.
var undecidedRule = finding.Result{
	ID: openRule, Severity: "medium", Title: "A check could not be decided",
	Description: "What the check asks about was not seen, or not all of it: it has not passed, and what it found before is not known to be mended.",
	Remediation: "Run the audit with what the reason names.",
}

var semver = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func invocation(r *finding.Report) sarifInvocation {
	inv := sarifInvocation{Successful: true, EndTimeUTC: r.Snapshot.CollectedAt}
	for _, c := range r.Coverage {
		if c.Status == "ok" || c.Status == "absent" {
			continue
		}
		inv.Notifications = append(inv.Notifications, sarifNotification{
			Descriptor: sarifRef{gapRule}, Level: "warning",
			Message: plainText(c.Collector + " " + c.Status + ": " + strings.Join(c.Reasons, "; ")),
		})
	}
	for _, o := range r.Open() {
		if o.Resource == nil {
			inv.Notifications = append(inv.Notifications, sarifNotification{
				Descriptor: sarifRef{openRule}, Level: "warning", Message: plainText(o.Check + ": " + o.Reason),
			})
		}
	}
	for _, text := range assumed(r) {
		inv.Notifications = append(inv.Notifications, sarifNotification{Descriptor: sarifRef{underRule}, Level: "note", Message: plainText(text)})
	}
	return inv
}

// notified describes the notifications that there are.
func notified(list []sarifNotification) []sarifRule {
	var out []sarifRule
	for _, d := range []struct{ id, name, short, text string }{
		{gapRule, "CollectorGap", "Part of the host was not seen.", "A collector could not see all of the host, so checks that depend on it are unknown."},
		{underRule, "CheckAssumed", "A check passes under an assumption.", "That nothing was found says something only while an assumption holds, which was held against the host."},
		{openRule, "CheckUndecided", "A check could not be decided.", undecidedRule.Description},
	} {
		if slices.ContainsFunc(list, func(n sarifNotification) bool { return n.Descriptor.ID == d.id }) {
			out = append(out, sarifRule{
				ID: d.id, Name: d.name, ShortDescription: sarifText{Text: d.short},
				FullDescription: sarifText{Text: d.text}, Help: sarifText{Text: d.text}, HelpURI: infoURI,
			})
		}
	}
	return out
}

// securitySeverity is in the middle of the band that GitHub makes of it: over 9.0 is critical.
var securitySeverity = map[string]string{
	"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.5", "info": "0.1",
}

var levels = map[string]string{
	"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note",
}

func rule(res *finding.Result) sarifRule {
	tags := []string{"security"}
	for _, c := range res.References.CWE {
		tags = append(tags, "external/cwe/"+strings.ToLower(c))
	}
	for _, a := range res.References.ATTACK {
		tags = append(tags, "attack/"+a)
	}
	help := res.Description + "\n\nFix: " + res.Remediation
	md := "**" + markdown(res.Title) + "**\n\n" + markdown(res.Description) + "\n\n**Fix:** " + markdown(res.Remediation)
	return sarifRule{
		ID: res.ID, Name: pascal(res.ID), ShortDescription: plainText(sentence(res.Title)),
		FullDescription: plainText(res.Description), Help: sarifText{Text: help, Markdown: md},
		HelpURI: infoURI + "/blob/main/docs/checks.md#" + anchor(res.ID),
		// The severity of the rule follows its worst finding: GitHub reads it from the rule alone.
		DefaultConfig: &sarifConfig{levels[res.Severity]},
		Properties: &sarifRuleProps{
			Tags: tags[:min(len(tags), maxTags)], Precision: "high",
			SecuritySeverity: securitySeverity[res.Severity],
		},
	}
}

func anchor(id string) string { return strings.ReplaceAll(id, "/", "") }

func pascal(id string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(id, func(r rune) bool { return r == '/' || r == '-' }) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

func sentence(s string) string {
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func sarifFinding(r *finding.Report, res *finding.Result, index int, f *finding.Finding) sarifResult {
	text := sentence(Clean(f.Message, false))
	if len(f.Evidence) > 0 {
		text += " Seen: " + sentence(Clean(strings.Join(f.Evidence, "; "), false))
	}
	loc := place(r, f.Resource)
	sum := sha256.Sum256([]byte(r.Host.ID + "\x00" + r.Host.Name + "\x00" + f.Fingerprint))
	hash := hex.EncodeToString(sum[:])
	out := sarifResult{
		RuleID: res.ID, RuleIndex: index, Kind: "fail", Level: levels[f.Severity], Message: plainText(text),
		Locations: []sarifLocation{loc},
		Fingerprints: map[string]string{
			"primaryLocationLineHash": hash[:16] + ":1", "ringfenceFinding/v1": hash,
		},
		Properties: map[string]string{"severity": f.Severity},
	}
	if f.Zone != "" {
		out.Properties["zone"] = f.Zone
	}
	if f.Witness != "" {
		out.Properties["witness"] = Clean(f.Witness, false)
	}
	if len(f.Conditions) > 0 {
		var texts []string
		for _, c := range f.Conditions {
			texts = append(texts, Clean(c.String(), false))
		}
		out.Properties["conditions"] = strings.Join(texts, "; ")
	}
	if len(f.Steps) > 0 {
		var steps []sarifStep
		for _, s := range f.Steps {
			l := loc
			t := plainText(Clean(s, false))
			l.Message = &t
			steps = append(steps, sarifStep{l})
		}
		out.CodeFlows = []sarifCodeFlow{{[]sarifThreadFlow{{steps}}}}
	}
	if len(f.Remediation) > 0 {
		out.Fixes = []sarifFix{{
			Description: plainText(Clean(f.Remediation[0].Text, false)),
			Changes:     []sarifChange{{loc.Physical.Artifact, []sarifReplacement{{sarifRegion{1, 1, 1, 1}}}}},
		}}
	}
	return out
}

// place gives a finding a relative path: of the file on the host where there is one, else a fixed
// path for its kind of object. GitHub refuses the whole file for a result without one.
func place(r *finding.Report, res finding.Resource) sarifLocation {
	p := strings.TrimPrefix(res.Path, "/")
	if p == "" {
		p = res.Kind + "/" + res.Key
	}
	var parts []string
	for s := range strings.SplitSeq(Clean(p, false), "/") {
		if s != "" && s != "." && s != ".." {
			parts = append(parts, url.PathEscape(s))
		}
	}
	uri := strings.Join(parts, "/")
	if uri == "" {
		uri = "host"
	}
	// A colon in the first segment would be read as a scheme (RFC 3986, 4.2).
	uri = strings.ReplaceAll(uri, ":", "%3A")
	return sarifLocation{
		Physical: sarifPhysical{
			Artifact: sarifURI{URI: uri, BaseID: rootBase}, Region: sarifRegion{1, 1, 1, 1},
		},
		Logical: []sarifLogical{{
			Name: Clean(res.Key, false), QualifiedName: "host/" + slug(r.Host.Name) + "/" + Clean(res.Kind+"/"+res.Key, false),
			Kind: "resource",
		}},
	}
}

var unsafeSlug = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func slug(s string) string {
	if s = strings.Trim(unsafeSlug.ReplaceAllString(s, "-"), "-"); s == "" {
		return "host"
	}
	return s
}

// markdown escapes what Markdown and HTML would interpret.
func markdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;",
		"[", `\[`, "]", `\]`, "|", `\|`, "#", `\#`).Replace(s)
}

// plainText bounds a message. In a SARIF message text, brackets and braces mean links and
// placeholders, so they are escaped (SARIF 2.1.0, 3.11.5 and 3.11.6).
func plainText(s string) sarifText {
	if utf8.RuneCountInString(s) > maxText {
		s = string([]rune(s)[:maxText-1]) + "…"
	}
	s = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "{", "{{", "}", "}}").Replace(s)
	return sarifText{Text: s}
}
