package judge

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// bounded are the functions that policies may call: what reads no file, name service, network, environment or
// clock, and whose result is not much larger than its arguments. It is a list of what is allowed, so that a
// newer OPA adds nothing by itself. What is missing, and why:
//   - http.send, net.lookup_ip_addr, opa.runtime, rand.*, uuid.*, time.now_ns: the world outside;
//   - time.clock, time.date, time.format and their kin: they load zone files;
//   - json.match_schema, json.verify_schema: a $ref reads files;
//   - numbers.range, numbers.range_step, net.cidr_expand, bits.lsh, graph.reachable_paths, yaml.unmarshal,
//     strings.render_template: a short argument makes endless data;
//   - regex.globs_match, graphql.*, crypto.*, io.jwt.*, providers.*: parsers that no policy about a host needs;
//   - rego.*, trace, print: about the evaluation itself.
var bounded = []string{
	"abs", "and", "array.concat", "array.flatten", "array.reverse", "array.slice", "assign",
	"base64.decode", "base64.encode", "base64.is_valid", "base64url.decode", "base64url.encode",
	"bits.and", "bits.negate", "bits.or", "bits.rsh", "bits.xor",
	"ceil", "concat", "contains", "count", "div", "endswith", "eq", "equal", "floor", "format_int",
	"glob.match", "glob.quote_meta", "graph.reachable", "gt", "gte", "hex.decode", "hex.encode",
	"indexof", "indexof_n", "internal.member_2", "internal.member_3", "internal.template_string",
	"internal.test_case", "intersection",
	"is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
	"json.filter", "json.is_valid", "json.marshal", "json.patch", "json.remove", "json.unmarshal",
	"lower", "lt", "lte", "max", "min", "minus", "mul", "neq",
	"net.cidr_contains", "net.cidr_contains_matches", "net.cidr_intersects", "net.cidr_is_valid", "net.cidr_merge",
	"object.filter", "object.get", "object.keys", "object.remove", "object.subset", "object.union", "object.union_n",
	"or", "plus", "product",
	"regex.find_all_string_submatch_n", "regex.find_n", "regex.is_valid", "regex.match", "regex.replace", "regex.split",
	"rem", "replace", "round", "semver.compare", "semver.is_valid", "sort", "split", "sprintf", "startswith",
	"strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.replace_n", "strings.reverse",
	"substring", "sum", "time.parse_duration_ns", "time.parse_rfc3339_ns", "to_number",
	"trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name",
	"union", "units.parse", "units.parse_bytes", "upper", "walk",
}

// capabilities are those of this version of OPA without the functions that are not bounded, and without
// schemas from the network.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return !slices.Contains(bounded, b.Name) })
	c.AllowNet = []string{}
	return c
}
