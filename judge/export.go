package judge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// DocumentOf is the document that the policies see of a host: their input.
func DocumentOf(ctx context.Context, s *snapshot.Snapshot, cfg *Config) *Document {
	return build(ctx, s, cfg.Zones).doc
}

// Export is what other programs for Rego need to check and test policies as this one does, by their paths: the built-in policies and what
// they share, the schema of the input, the functions that policies may call, and empty parameters.
func Export() (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(rego.Policies, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(rego.Policies, file)
		files[file] = string(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for name, v := range map[string]any{
		"schemas/input.json": inputSchema(), "capabilities.json": portable(), "data.json": map[string]any{"params": map[string]any{}},
	} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", " ")
		if err := e.Encode(v); err != nil {
			return nil, fmt.Errorf("export %s: %w", name, err)
		}
		files[name] = b.String()
	}
	files["regal.yaml"] = regalSettings
	return files, nil
}

// regalSettings are what regal does not ask of policies as they are written here: a file is named by its check, and the program needs no entrypoint.
const regalSettings = `rules:
  idiomatic:
    directory-package-mismatch: {level: ignore}
    no-defined-entrypoint: {level: ignore}
  style:
    line-length: {level: error, max-line-length: 180}
`

// portable are the capabilities without words and features that older programs do not know: they would take none of the file.
func portable() *ast.Capabilities {
	c := capabilities()
	c.FutureKeywords, c.Features = []string{}, []string{ast.FeatureRegoV1, ast.FeatureKeywordsInRefs}
	return c
}
