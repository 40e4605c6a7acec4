//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/titanous/json5"

	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of a configuration that includes others. OpenClaw itself refuses more than ten levels.
const (
	maxClawIncludes = 10
	maxClawFiles    = 64
	maxClawSize     = 4 << 20
)

// clawTree resolves a configuration of OpenClaw: files that $include names, and variables in strings. An included object is overridden by
// what stands beside $include, of several the later one counts, and lists are added to each other.
type clawTree struct {
	read        func(file string) ([]byte, snapshot.Word, error)
	root        string // files are included from below it alone
	word        snapshot.Word
	files, size int
}

// load reads a file and what it includes.
func (t *clawTree) load(file string, above []string) (any, error) {
	if slices.Contains(above, file) || len(above) > maxClawIncludes {
		return nil, fmt.Errorf("%s: included by itself, or more than %d levels deep", file, maxClawIncludes)
	}
	b, word, err := t.read(file)
	if err != nil {
		return nil, err
	}
	if t.files, t.size = t.files+1, t.size+len(b); t.files > maxClawFiles || t.size > maxClawSize {
		return nil, errors.New("it includes more than is read")
	}
	if len(above) == 0 {
		t.word, t.root = word, path.Dir(file)
	} else {
		t.word = lesser(t.word, word)
	}
	v, err := decodeJSON5(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t.resolve(v, append(slices.Clone(above), file))
}

// decodeJSON5 decodes text of which anybody can have written anything.
func decodeJSON5(b []byte) (v any, err error) {
	defer func() { // the JSON5 decoder indexes past the end of some malformed files
		if r := recover(); r != nil {
			err = errMalformed
		}
	}()
	if depth := nesting(b); depth > maxNesting {
		return nil, fmt.Errorf("nested more than %d levels deep", maxNesting)
	}
	if err := json5.Unmarshal(b, &v); err != nil {
		return nil, errMalformed // what is wrong would quote it
	}
	return v, nil
}

func (t *clawTree) resolve(v any, files []string) (any, error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			r, err := t.resolve(v[i], files)
			if err != nil {
				return nil, err
			}
			v[i] = r
		}
	case map[string]any:
		var included any
		if named, ok := v["$include"]; ok {
			delete(v, "$include")
			r, err := t.include(named, files)
			if err != nil {
				return nil, err
			}
			included = r
		}
		for _, k := range sortedKeys(v) {
			r, err := t.resolve(v[k], files)
			if err != nil {
				return nil, err
			}
			v[k] = r
		}
		if included != nil {
			return merged(included, v), nil
		}
	}
	return v, nil
}

// include reads the file, or each of the files, that an object names.
func (t *clawTree) include(named any, files []string) (any, error) {
	list, ok := named.([]any)
	if !ok {
		list = []any{named}
	}
	var all any
	for _, n := range list {
		name, ok := n.(string)
		if !ok {
			return nil, errors.New("it includes what is no file")
		}
		if !path.IsAbs(name) {
			name = path.Join(path.Dir(files[len(files)-1]), name)
		}
		if _, below := within(t.root, path.Clean(name)); !below {
			return nil, errors.New("it includes a file outside of its directory")
		}
		v, err := t.load(path.Clean(name), files)
		if err != nil {
			return nil, fmt.Errorf("an included file was not read: %w", err)
		}
		if all == nil {
			all = v
		} else {
			all = merged(all, v)
		}
	}
	return all, nil
}

// merged is two values, of which the second counts before the first.
func merged(a, b any) any {
	switch b := b.(type) {
	case map[string]any:
		x, ok := a.(map[string]any)
		if !ok {
			if len(b) == 0 {
				return a
			}
			return b
		}
		m := maps.Clone(x)
		for k, v := range b {
			if old, ok := m[k]; ok {
				v = merged(old, v)
			}
			m[k] = v
		}
		return m
	case []any:
		if x, ok := a.([]any); ok {
			return append(slices.Clone(x), b...)
		}
	}
	return b
}

var clawVariable = lazily(`\$?\$\{[A-Z_][A-Z0-9_]*\}`)

// substitute puts variables into strings. One that is not known stays as it is written, and is found by unresolved; two dollars stand for
// the text itself.
func substitute(v any, env func(string) (string, bool)) any {
	switch v := v.(type) {
	case string:
		return clawVariable.ReplaceAllStringFunc(v, func(m string) string {
			if text, escaped := strings.CutPrefix(m, "$$"); escaped {
				return "\x00$" + text
			}
			if value, ok := env(m[2 : len(m)-1]); ok {
				return value
			}
			return m
		})
	case []any:
		for i := range v {
			v[i] = substitute(v[i], env)
		}
	case map[string]any:
		for k := range v {
			v[k] = substitute(v[k], env)
		}
	}
	return v
}

// unresolved names the variable that a text still has, "" if it has none.
func unresolved(text string) string {
	if m := clawVariable.FindString(text); m != "" && !strings.Contains(text, "\x00") {
		return m
	}
	return ""
}

// clawEnv is the variables that a configuration can name: of the process, then of .env in its directory and in that of its state, then
// those of the configuration itself (docs.openclaw.ai, environment). Of several the first counts.
func (s *Scan) clawEnv(p *process, env map[string]string, state string, config any) func(string) (string, bool) {
	sources := []map[string]string{env}
	files := []string{path.Join(state, ".env")}
	if cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID)); err == nil {
		files = append([]string{path.Join(cwd, ".env")}, files...)
	}
	if home := env["HOME"]; home != "" {
		files = append(files, path.Join(home, ".config/openclaw/gateway.env"))
	}
	for _, f := range files {
		if b, _, err := s.configOf(p, f); err == nil {
			sources = append(sources, envFile(string(b)))
		}
	}
	if m, ok := config.(map[string]any); ok {
		inline := map[string]string{}
		block, _ := m["env"].(map[string]any)
		vars, _ := block["vars"].(map[string]any)
		for _, set := range []map[string]any{block, vars} {
			for k, v := range set {
				if text, ok := v.(string); ok {
					inline[k] = text
				}
			}
		}
		sources = append(sources, inline)
	}
	return func(name string) (string, bool) {
		for _, m := range sources {
			if v := m[name]; v != "" {
				return v, true
			}
		}
		return "", false
	}
}

// envFile reads a file of lines NAME=VALUE.
func envFile(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if !ok || k == "" || k[0] == '#' {
			continue
		}
		if len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
			v = v[1 : len(v)-1]
		} else if i := strings.Index(v, " #"); i >= 0 {
			v = strings.TrimSpace(v[:i])
		}
		if _, set := env[k]; !set {
			env[k] = v
		}
	}
	return env
}

// fileOf is a configuration as it is decoded.
func fileOf(v any) (*openClawFile, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errMalformed
	}
	f := new(openClawFile)
	if err := json.Unmarshal(b, f); err != nil {
		return nil, errMalformed
	}
	f.reduce()
	return f, nil
}
