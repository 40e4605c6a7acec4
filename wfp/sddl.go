package wfp

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// entry is one entry of a discretionary access control list.
type entry struct {
	allow       bool
	conditional bool
	mask        uint64
	sid         string
}

// bounds of a security descriptor that is read.
const (
	maxSDDL    = 64 << 10
	maxEntries = 1000
)

// wellKnown are the SIDs that SDDL has two letters for (MS-DTYP 2.5.1.1), of those that are the same on every machine.
var wellKnown = map[string]string{
	"AC": "S-1-15-2-1", "UD": "S-1-5-84-0-0-0-0-0", "AN": "S-1-5-7", "AO": "S-1-5-32-548", "AU": "S-1-5-11", "BA": "S-1-5-32-544", "BG": "S-1-5-32-546", "BO": "S-1-5-32-551",
	"BU": "S-1-5-32-545", "CG": "S-1-3-1", "CO": "S-1-3-0", "ED": "S-1-5-9", "ER": "S-1-5-32-573", "HA": "S-1-5-32-578", "IS": "S-1-5-32-568",
	"IU": "S-1-5-4", "LS": "S-1-5-19", "LU": "S-1-5-32-559", "MU": "S-1-5-32-558", "NO": "S-1-5-32-556", "NS": "S-1-5-20", "NU": "S-1-5-2",
	"OW": "S-1-3-4", "PO": "S-1-5-32-550", "PS": "S-1-5-10", "PU": "S-1-5-32-547", "RC": "S-1-5-12", "RD": "S-1-5-32-555", "RE": "S-1-5-32-552",
	"RM": "S-1-5-32-580", "RU": "S-1-5-32-554", "SO": "S-1-5-32-549", "SU": "S-1-5-6", "SY": "S-1-5-18", "WD": "S-1-1-0", "WR": "S-1-5-33",
}

// parseSDDL reads the discretionary list of a security descriptor (MS-DTYP 2.5.1). It is nil where the text has none.
func parseSDDL(s string) ([]entry, error) {
	if len(s) > maxSDDL {
		return nil, errors.New("it is too long")
	}
	at := strings.Index(s, "D:")
	if first := strings.IndexByte(s, '('); first >= 0 && first < at {
		at = -1 // in an entry
	}
	list := ""
	switch {
	case at >= 0:
		list = s[at+2:]
	case strings.Contains(s, "("): // netsh prints descriptors without the mark: O:LSD:(A;;CC;;;WD) and (A;;CC;;;WD)
		list = s
	default:
		return nil, nil
	}
	entries := []entry{}
	for {
		open := strings.IndexByte(list, '(')
		if open < 0 {
			return entries, nil
		}
		if i := strings.Index(list[:open], "S:"); i >= 0 {
			return entries, nil // the system list
		}
		end := closing(list[open:])
		if end < 0 || len(entries) >= maxEntries {
			return nil, errors.New("an entry does not end")
		}
		e, err := parseEntry(list[open+1 : open+end])
		if err != nil {
			return nil, err
		}
		if e != nil {
			entries = append(entries, *e)
		}
		list = list[open+end+1:]
	}
}

// closing is the place of the bracket that closes the first one.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func parseEntry(s string) (*entry, error) {
	p := strings.SplitN(s, ";", 7)
	if len(p) < 6 {
		return nil, errors.New("an entry has too few parts")
	}
	e := &entry{sid: strings.ToUpper(p[5]), conditional: len(p) == 7}
	e.sid = cmp.Or(wellKnown[e.sid], e.sid)
	switch p[0] {
	case "A", "XA", "OA":
		e.allow = true
	case "D", "XD", "OD":
	default:
		return nil, errors.New("an entry is of an unknown type")
	}
	if strings.Contains(p[1], "IO") {
		return nil, nil // only for what inherits it
	}
	if n, err := strconv.ParseUint(p[2], 0, 32); err == nil {
		e.mask = n
		if n&0x10000000 != 0 { // GENERIC_ALL
			e.mask |= matchFilter
		}
		return e, nil
	}
	for i := 0; i+2 <= len(p[2]); i += 2 {
		switch p[2][i : i+2] {
		case "CC", "GA":
			e.mask |= matchFilter
		}
	}
	return e, nil
}

// Matched are the SIDs that a security descriptor lets match, sorted; nil where it says more than that.
func Matched(sddl string) []string {
	entries, err := parseSDDL(sddl)
	var out []string
	for _, e := range entries {
		if e.mask&matchFilter == 0 {
			continue
		}
		if !e.allow || e.conditional {
			return nil
		}
		out = append(out, e.sid)
	}
	if err != nil {
		return nil
	}
	slices.Sort(out)
	return slices.Compact(out)
}
