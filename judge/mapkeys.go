package judge

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/words"
)

// keySpace is a map of the document whose keys are known: the schema gives the type of its values, and says nothing of its keys.
type keySpace struct {
	path string // below input, with dots
	what string // what a key is
	keys []string
	// more says of another key that it can be there too; nil is never.
	more func(string) bool
}

// keySpaces are the maps of the document that are asked by their own place. Those by zones and families are typed instead (inputSchema), and reach by
// its name anywhere (namesZones).
var keySpaces = sync.OnceValue(func() []keySpace {
	var slashed []string
	slashed = append(slashed, snapshot.KernelSysctls...)
	dotted := slices.Concat(slashed, snapshot.NetworkSysctls)
	for i := range dotted {
		dotted[i] = strings.ReplaceAll(dotted[i], "/", ".")
	}
	facts := slices.Concat(slices.Sorted(maps.Keys(snapshot.SecurityFacts)), slices.Sorted(maps.Keys(snapshot.FactFiles)), snapshot.OtherFacts)
	return []keySpace{
		{"sysctls", "sysctl", dotted, ofLink},
		{"kernel.sysctls", "sysctl", slashed, nil},
		{"kernel.facts", "fact of the kernel", facts, nil},
		{"kernel.vulnerabilities", "vulnerability", vulnerabilities, newer},
		{"processor", "vulnerability", vulnerabilities, newer},
		{"windowsRDP", "setting of Remote Desktop", append([]string{snapshot.RDPDeny, snapshot.RDPFIPS}, snapshot.RDPSettings...), nil},
		{"windowsSMB", "setting of SMB", append([]string{snapshot.SMBStart, snapshot.SMB1Driver}, snapshot.SMBSettings...), nil},
		{"windowsWinRM.settings", "setting of WinRM", snapshot.WinRMSettings, nil},
	}
})

// vulnerabilities are the files below /sys/devices/system/cpu/vulnerabilities (cpu_root_vulnerabilities_attrs of drivers/base/cpu.c, Linux 6.18).
var vulnerabilities = []string{
	"gather_data_sampling", "ghostwrite", "indirect_target_selection", "itlb_multihit", "l1tf", "mds", "meltdown", "mmio_stale_data", "old_microcode",
	"reg_file_data_sampling", "retbleed", "spec_rstack_overflow", "spec_store_bypass", "spectre_v1", "spectre_v2", "srbds", "tsa", "tsx_async_abort", "vmscape",
}

// newer says whether a newer kernel can have a vulnerability of a name: one that is not nearly that of another.
func newer(name string) bool {
	return regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(name) && words.Nearest(name, vulnerabilities) == ""
}

// ofLink says whether a name is that of a switch of an interface.
func ofLink(name string) bool {
	rest, ok := strings.CutPrefix(name, "net.")
	family, rest, _ := strings.Cut(rest, ".")
	rest, is := strings.CutPrefix(rest, "conf.")
	i := strings.LastIndex(rest, ".")
	return ok && is && i > 0 && slices.Contains(snapshot.LinkSysctls[family], rest[i+1:])
}

// in says whether a map can have a key.
func (s *keySpace) in(key string) bool {
	return slices.Contains(s.keys, key) || s.more != nil && s.more(key)
}

// namesKeys refuses a module that asks a map of the document for a key that it never has.
func (c *Check) namesKeys(m *ast.Module) error {
	for _, space := range keySpaces() {
		at := strings.Split("input."+space.path, ".")
		var wrong error
		w := keyWalk{
			key: func(ref ast.Ref) []*ast.Term {
				if len(ref) > len(at) && startsWith(ref, at) {
					return ref[len(at) : len(at)+1]
				}
				return nil
			},
			of: func(ref ast.Ref) bool { return len(ref) == len(at) && startsWith(ref, at) },
			note: func(t *ast.Term) {
				if name, ok := t.Value.(ast.String); ok && wrong == nil && !space.in(string(name)) {
					wrong = placed(t.Location, "check %s: %s %q: %w", c.ID, space.what, string(name), words.Wrong(string(name), space.keys))
				}
			},
		}
		w.module(m)
		if wrong != nil {
			return wrong
		}
	}
	return nil
}

// startsWith says whether a reference begins with some names.
func startsWith(ref ast.Ref, names []string) bool {
	for i, name := range names {
		switch v := ref[i].Value.(type) {
		case ast.Var:
			if i > 0 || string(v) != name {
				return false
			}
		case ast.String:
			if i == 0 || string(v) != name {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// typedKeys are the keys of maps below an object of the document, by the name of their field: the compiler then knows them wherever they are.
var typedKeys = map[string][]string{
	reachField: zoneKeys, "by": zoneKeys, "open": zoneKeys, "registry": zoneKeys,
	"calls": {"ipv4", "ipv6"}, "between": {"ipv4", "ipv6"},
}
