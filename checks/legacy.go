//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/ruleset"
)

// maxLegacy bounds a table of iptables-legacy, in bytes: 200,000 rules have about half of it.
const maxLegacy = 64 << 20

// maxLegacyTables bounds the tables of a family; the kernel has five.
const maxLegacyTables = 16

// eachLegacy calls do with each table of iptables-legacy and ip6tables-legacy in the namespace of the thread, or why it could not be read. Only
// tables that the kernel has are asked for: it makes those that are not there.
func eachLegacy(h *host.Host, left *int, do func(program string, t ruleset.LegacyTable, err error)) {
	for _, f := range []struct {
		program, family, module string
		v6                      bool
	}{{"iptables", ruleset.FamilyIP, "iptable_raw", false}, {"ip6tables", ruleset.FamilyIP6, "ip6table_raw", true}} {
		names, err := h.ReadFile("/proc/thread-self/net/" + tableNames[f.program])
		if err != nil {
			continue // legacyTables says so
		}
		for i, name := range strings.Fields(string(names)) {
			if i == maxLegacyTables {
				break
			}
			limit := maxLegacy
			if left != nil {
				limit = min(limit, max(*left, 0))
			}
			t := ruleset.LegacyTable{Family: f.family, Name: name}
			t.Info, t.Entries, err = h.LegacyTable(f.v6, name, ruleset.LegacyInfoSize, limit)
			if name == "raw" && err == nil {
				t.Early, err = early(h, f.module)
			}
			if left != nil {
				*left -= len(t.Entries)
			}
			do(f.program, t, err)
		}
	}
}

// early says whether the table raw of a module is before fragments are put together. A kernel without the parameter has it behind.
func early(h *host.Host, module string) (bool, error) {
	b, err := h.ReadFile("/sys/module/" + module + "/parameters/raw_before_defrag")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return strings.TrimSpace(string(b)) == "Y", err
}

// readLegacy adds the tables of iptables-legacy.
func (r *nfReader) readLegacy(h *host.Host) {
	eachLegacy(h, r.left, func(program string, raw ruleset.LegacyTable, err error) {
		t := ruleset.Table{}
		if err == nil {
			t, err = raw.Parse()
		}
		if err != nil {
			r.rs.LegacyUnread = append(r.rs.LegacyUnread, fmt.Sprintf("%s-legacy table %.32q: %v", program, raw.Name, err))
			return
		}
		r.rs.Tables = append(r.rs.Tables, t)
	})
}

// DumpLegacy is the tables of iptables-legacy of our own network namespace, to be loaded again elsewhere.
func DumpLegacy(h *host.Host) (list []ruleset.LegacyTable, err error) {
	eachLegacy(h, nil, func(program string, t ruleset.LegacyTable, terr error) {
		if terr != nil && err == nil {
			err = fmt.Errorf("%s-legacy table %.32q: %w", program, t.Name, terr)
		}
		list = append(list, t)
	})
	return list, err
}
