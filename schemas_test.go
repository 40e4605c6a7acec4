package ringfence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/fleet"
	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/remedy"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/watch"
)

// schemas are the formats that are published, and their types. A type is the specification: its comments are the descriptions.
var schemas = []struct {
	file, title string
	of          reflect.Type
}{
	{"snapshot", "ringfence.snapshot/v1", judge.SnapshotType},
	{"report", finding.Schema, judge.ReportType},
	{"document", "input of the policies", judge.DocumentType},
	{"row", "ringfence.row/v1", reflect.TypeFor[reports.Row]()},
	{"plans", fleet.GroupSchema, reflect.TypeFor[fleet.Group]()},
	{"fleet", finding.FleetSchema, reflect.TypeFor[finding.Fleet]()},
	{"diff", finding.DiffSchema, reflect.TypeFor[finding.Diff]()},
	{"transition", watch.Schema, reflect.TypeFor[watch.Line]()},
	{"plan", "ringfence.plan/v1", reflect.TypeFor[remedy.Plan]()},
	{"reach", "ringfence.reach/v1", reflect.TypeFor[reports.Reach]()},
	{"paths", "ringfence.paths/v1", reflect.TypeFor[reports.Paths]()},
	{"trace", "ringfence.trace/v1", reflect.TypeFor[reports.Trace]()},
}

const schemaHome = "https://raw.githubusercontent.com/ringfence/ringfence/main/docs/"

// vocabularies are the vocabularies of texts that have one.
var vocabularies = map[string][]string{
	"finding.Result.Severity": finding.Severities, "finding.Finding.Severity": finding.Severities, "finding.Action.Severity": finding.Severities,
	"finding.Result.Status":       {finding.Fail, finding.Pass, finding.Unknown, finding.NotApplicable, finding.Waived},
	"finding.Report.Schema":       {finding.Schema},
	"finding.Assumption.Validity": {finding.Confirmed, finding.Rejected, finding.Unconfirmed}, "finding.Claim.Validity": {finding.Confirmed, finding.Rejected, finding.Unconfirmed},
	"finding.Ground.Validity": {finding.Confirmed, finding.Rejected, finding.Unconfirmed}, "finding.Under.Validity": {finding.Confirmed, finding.Rejected, finding.Unconfirmed},
	"finding.Assumption.Open": {finding.Unseen, finding.Overdue, finding.Stale}, "finding.Assumption.Severity": finding.Severities,
	"finding.Exposure.Verdict": {"reachable", "unreachable", "unknown"}, "finding.Forward.Verdict": {"reachable", "unreachable", "unknown"},
	"finding.ForwardsLeftOut.Verdict": {"reachable", "unreachable", "unknown"},
	"finding.Coverage.Status":         {"ok", "partial", "denied", "absent", "error"},
	"finding.Condition.State":         {"at rest", "used up", "by chance", "as sent", "at times", "entered"},
	"finding.Exposure.Family":         {"ipv4", "ipv6"}, "finding.Forward.Family": {"ipv4", "ipv6"}, "finding.ForwardsLeftOut.Family": {"ipv4", "ipv6"},
	"finding.Change.Severity": finding.Severities, "reports.rowResult.Severity": finding.Severities,
	"reports.rowResult.Status": {finding.Fail, finding.Pass, finding.Unknown, finding.NotApplicable, finding.Waived},
	"finding.Change.Class": {
		finding.Wider, finding.New, finding.SeverityUp, finding.CoverageWorse, finding.Reopened, finding.Fixed, finding.CoverageMore,
	}, "finding.Diff.Schema": {finding.DiffSchema},
	"reports.Row.Row": {"result", "finding", "carried", "exposure", "forward", "coverage", "assumption", "host"}, "reports.Row.Schema": {"ringfence.row/v1"},
	"finding.FleetHost.State": {finding.Missing, finding.Refused, finding.Judged, finding.Older}, "finding.Fleet.Schema": {finding.FleetSchema},
	"watch.Line.Schema": {watch.Schema}, "watch.Line.Row": {watch.RowBegin, watch.RowChange, watch.RowRead}, "watch.Event.Kind": watch.Kinds,
	"remedy.Plan.Mode": {remedy.Targeted, remedy.DefaultDeny}, "remedy.Plan.Schema": {"ringfence.plan/v1"}, "fleet.Group.Schema": {fleet.GroupSchema}, "fleet.Group.Mode": {remedy.Targeted, remedy.DefaultDeny},
	"reports.Reach.Verdict": {"reachable", "unreachable", "unknown"}, "reports.Reach.Schema": {"ringfence.reach/v1"}, "reports.Trace.Schema": {"ringfence.trace/v1"},
}

// TestSchemasAreFresh holds the published schemas against the types.
func TestSchemasAreFresh(t *testing.T) {
	said := comments(t)
	for _, s := range schemas {
		schema := judge.Schema(s.title, s.of)
		schema["$id"] = schemaHome + s.file + ".schema.json"
		describe(schema, s.of, said, nil)
		want, err := json.MarshalIndent(schema, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		file := "docs/" + s.file + ".schema.json"
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(got), string(want)); d != "" {
			t.Errorf("%s is stale (make update):\n%s", file, d)
		}
	}
}

// TestSchemasAreDescribed: each field of what other programs and policies read says what it is.
func TestSchemasAreDescribed(t *testing.T) {
	var look func(path string, schema map[string]any)
	look = func(path string, schema map[string]any) {
		for name, v := range schema {
			below, ok := v.(map[string]any)
			if !ok {
				continue
			}
			if name == "properties" {
				for field, p := range below {
					p, _ := p.(map[string]any)
					if p["description"] == nil {
						t.Errorf("%s.%s: no description", path, field)
					}
					look(path+"."+field, p)
				}
				continue
			}
			look(path, below)
		}
	}
	for _, name := range []string{"report", "row", "diff", "fleet", "transition", "reach", "trace", "plan", "plans", "paths", "document", "snapshot"} {
		text, err := os.ReadFile("docs/" + name + ".schema.json")
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		look(name, schema)
	}
}

// comments are what is said of types and fields, by package.Type and package.Type.Field.
func comments(t *testing.T) map[string]string {
	said := map[string]string{}
	text := func(list ...*ast.CommentGroup) string {
		for _, c := range list {
			if s := strings.Join(strings.Fields(c.Text()), " "); s != "" {
				return s
			}
		}
		return ""
	}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "cmd") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			g, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, spec := range g.Specs {
				ts, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				name := f.Name.Name + "." + ts.Name.Name
				said[name] = text(ts.Doc, g.Doc)
				if st, ok := ts.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, id := range field.Names {
							said[name+"."+id.Name] = text(field.Doc, field.Comment)
						}
					}
				}
			}
			return false
		})
	}
	return said
}

// describe adds descriptions and vocabularies to a schema.
func describe(schema map[string]any, t reflect.Type, said map[string]string, above []reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if items, ok := schema["items"].(map[string]any); ok {
			describe(items, t.Elem(), said, above)
		}
	case reflect.Map:
		if each, ok := schema["additionalProperties"].(map[string]any); ok {
			describe(each, t.Elem(), said, above)
		}
	case reflect.Struct:
		props, ok := schema["properties"].(map[string]any)
		if !ok || slices.Contains(above, t) {
			return
		}
		if s := said[t.String()]; s != "" {
			schema["description"] = s
		}
		describeFields(props, t, said, append(above, t))
	default:
	}
}

// describeFields describes the properties of a structure, with those of what is embedded in it.
func describeFields(props map[string]any, t reflect.Type, said map[string]string, above []reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			describeFields(props, f.Type, said, above)
			continue
		}
		p, ok := props[name].(map[string]any)
		if !ok {
			continue
		}
		describe(p, f.Type, said, above)
		key := t.String() + "." + f.Name
		if s := said[key]; s != "" {
			p["description"] = s
		}
		if list := vocabularies[key]; list != nil {
			p["enum"] = list
		}
	}
}

// TestVocabulariesAreUsed: a word list for a field that does not exist says nothing.
func TestVocabulariesAreUsed(t *testing.T) {
	said := comments(t)
	for key := range vocabularies {
		if _, ok := said[key]; !ok {
			t.Errorf("%s is no field", key)
		}
	}
	for _, key := range []string{"finding.Finding.Witness", "finding.Action", "snapshot.Host.BootID"} {
		if _, ok := said[key]; !ok {
			t.Errorf("nothing is known of %s", key)
		}
	}
}

// grown is where the fields of version 1 are written down that were published. Nothing takes a line out of it, -update neither.
const grown = "docs/v1.txt"

// TestV1OnlyGrows: no field of a published format is renamed, removed, of another type, or left out where it was always there.
func TestV1OnlyGrows(t *testing.T) {
	var now []string
	for _, s := range schemas {
		now = append(now, fields(s.file, judge.Schema(s.title, s.of))...)
	}
	b, err := os.ReadFile(grown)
	if err != nil && (!*update || !errors.Is(err, fs.ErrNotExist)) {
		t.Fatal(err)
	}
	before := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for _, l := range before {
		if l != "" && !slices.Contains(now, l) {
			t.Errorf("%s was published, and is no more so", l)
		}
	}
	all := append(now, before...)
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(l string) bool { return l == "" })
	text := []byte(strings.Join(all, "\n") + "\n")
	if *update {
		if err := os.WriteFile(grown, text, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(text, b) {
		t.Errorf("%s has not all fields (make update)", grown)
	}
}

// fields are the properties of a schema as lines: path, type, and whether it is always there.
func fields(path string, schema map[string]any) (out []string) {
	switch {
	case schema["items"] != nil:
		return fields(path+"[]", schema["items"].(map[string]any))
	case schema["properties"] == nil:
		if each, ok := schema["additionalProperties"].(map[string]any); ok {
			return fields(path+".*", each)
		}
		return nil
	}
	required, _ := schema["required"].([]any)
	for name, p := range schema["properties"].(map[string]any) {
		p := p.(map[string]any)
		line := fmt.Sprintf("%s.%s %v", path, name, p["type"])
		if slices.Contains(required, any(name)) {
			line += " always"
		}
		out = append(append(out, line), fields(path+"."+name, p)...)
	}
	return out
}
