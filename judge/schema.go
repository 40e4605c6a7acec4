package judge

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// Schema is the JSON Schema (draft 2020-12) of one of our formats, made from its Go type. It holds
// for what the program writes: every property without omitempty is required, and no other is
// allowed.
func Schema(title string, t reflect.Type) map[string]any {
	s := schemaOf(t, nil)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = title
	return s
}

// The types of the published formats.
var (
	SnapshotType = reflect.TypeFor[snapshot.Snapshot]()
	ReportType   = reflect.TypeFor[finding.Report]()
	DocumentType = reflect.TypeFor[Document]()
)

// ownText says of a type that it is a text in JSON, such as an address.
var ownText = reflect.TypeFor[encoding.TextMarshaler]()

func schemaOf(t reflect.Type, above []reflect.Type) map[string]any {
	if t == reflect.TypeFor[ruleset.Hex]() {
		return map[string]any{"type": "string"}
	}
	if t.Implements(ownText) {
		return map[string]any{"type": "string"}
	}
	if t == reflect.TypeFor[json.RawMessage]() {
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), above)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Interface:
		return map[string]any{}
	case reflect.Slice, reflect.Array:
		s := map[string]any{"type": "array", "items": schemaOf(t.Elem(), above)}
		if t.Kind() == reflect.Slice {
			s["type"] = []any{"array", "null"}
		}
		return s
	case reflect.Map:
		return map[string]any{
			"type": []any{"object", "null"}, "additionalProperties": schemaOf(t.Elem(), above),
		}
	case reflect.Struct:
		if slices.Contains(above, t) {
			return map[string]any{"type": "object"} // recursive: set elements hold expressions
		}
		return structSchema(t, append(above, t))
	}
	return map[string]any{"type": "integer"}
}

// jsonFields are the fields of a structure with those of structures that are embedded in it, which JSON has side by side. A field can have
// the name of the type that it is embedded with: reflect.VisibleFields would hide it.
func jsonFields(t reflect.Type) (out []reflect.StructField) {
	for f := range t.Fields() {
		if f.Anonymous && f.Tag.Get("json") == "" && f.Type.Kind() == reflect.Struct {
			out = append(out, jsonFields(f.Type)...)
		} else {
			out = append(out, f)
		}
	}
	return out
}

func structSchema(t reflect.Type, above []reflect.Type) map[string]any {
	props, required := map[string]any{}, []any{}
	for _, f := range jsonFields(t) {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		props[name] = schemaOf(f.Type, above)
		if !strings.Contains(opts, "omitempty") && !strings.Contains(opts, "omitzero") {
			required = append(required, name)
		}
	}
	return map[string]any{
		"type": "object", "properties": props, "required": required, "additionalProperties": false,
	}
}

// inputSchema is the document's schema in the form that the Rego compiler checks references with:
// it takes one type for each property. It looks into no map, so that those of known keys have a property for each.
func inputSchema() map[string]any {
	s := schemaOf(DocumentType, nil)
	managed := below(below(s, "managed")["items"], "settings")
	props := map[string]any{}
	for _, name := range snapshot.ManagedSettings {
		props[name] = managed["additionalProperties"]
	}
	managed["properties"], managed["additionalProperties"] = props, false
	return plain(s)
}

// below is the schema of a field.
func below(s any, field string) map[string]any {
	return s.(map[string]any)["properties"].(map[string]any)[field].(map[string]any)
}

func plain(s map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range s {
		switch v := v.(type) {
		case map[string]any:
			out[k] = plain(v)
			if of, ok := v["additionalProperties"].(map[string]any); ok && typedKeys[k] != nil {
				props := map[string]any{}
				for _, key := range typedKeys[k] {
					props[key] = plain(of)
				}
				out[k] = map[string]any{"type": "object", "properties": props, "additionalProperties": false}
			}
		case []any:
			if k == "type" {
				out[k] = v[0]
			} else {
				out[k] = v
			}
		default:
			out[k] = v
		}
	}
	return out
}
