package winhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

var errNoDescriptor = errors.New("it is no security descriptor")

// maxEntries bounds an access list: its size is a number of 16 bits, and the smallest entry has 16 bytes.
const maxEntries = 4096

// descriptor reads a self-relative security descriptor (MS-DTYP 2.4.6).
func descriptor(b []byte) snapshot.WindowsACL {
	acl, err := readDescriptor(b)
	if err != nil {
		return snapshot.WindowsACL{Read: snapshot.Fact{State: snapshot.Error, Reason: short(err)}}
	}
	acl.Read = present
	return acl
}

func readDescriptor(b []byte) (acl snapshot.WindowsACL, err error) {
	if len(b) < 20 || b[0] != 1 {
		return acl, errNoDescriptor
	}
	le := binary.LittleEndian
	control := le.Uint16(b[2:])
	if off := le.Uint32(b[4:]); off != 0 {
		if uint64(off) > uint64(len(b)) {
			return acl, errNoDescriptor
		}
		if acl.Owner, err = sid(b[off:]); err != nil {
			return acl, err
		}
	}
	off := le.Uint32(b[16:])
	const daclPresent = 0x4
	if control&daclPresent == 0 || off == 0 {
		acl.Open = true
		return acl, nil
	}
	if uint64(off)+8 > uint64(len(b)) {
		return acl, errNoDescriptor
	}
	acl.Entries, err = entries(b[off:])
	return acl, err
}

// entries are those of an access list (MS-DTYP 2.4.5).
func entries(b []byte) ([]snapshot.WindowsAccess, error) {
	le := binary.LittleEndian
	n := int(le.Uint16(b[4:]))
	if n > maxEntries {
		return nil, errNoDescriptor
	}
	b = b[8:]
	list := make([]snapshot.WindowsAccess, 0, n)
	for range n {
		if len(b) < 8 {
			return nil, errNoDescriptor
		}
		size := int(le.Uint16(b[2:]))
		if size < 8 || size > len(b) {
			return nil, errNoDescriptor
		}
		const inheritOnly, inherited = 0x8, 0x10
		e := snapshot.WindowsAccess{Mask: le.Uint32(b[4:]), Allow: b[0] == 0, InheritOnly: b[1]&inheritOnly != 0, Inherited: b[1]&inherited != 0}
		if b[0] > 1 {
			e.Other = int(b[0])
		}
		if e.Other == 0 || e.Other == 9 || e.Other == 10 { // callback entries have the shape of the plain ones, and a condition after it
			s, err := sid(b[8:size])
			if err != nil {
				return nil, err
			}
			e.SID = s
		}
		list = append(list, e)
		b = b[size:]
	}
	return list, nil
}

// sid reads a security identifier (MS-DTYP 2.4.2.2).
func sid(b []byte) (string, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > 15 || len(b) < 8+4*int(b[1]) {
		return "", errNoDescriptor
	}
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "S-1-%d", authority)
	for i := range int(b[1]) {
		fmt.Fprintf(&text, "-%d", binary.LittleEndian.Uint32(b[8+4*i:]))
	}
	return text.String(), nil
}

// aliases are the two letters of well-known SIDs in SDDL (MS-DTYP 2.5.1.1) that stand for one SID on every machine.
var aliases = map[string]string{
	"AN": "S-1-5-7", "AO": "S-1-5-32-548", "AU": "S-1-5-11", "BA": "S-1-5-32-544", "BG": "S-1-5-32-546", "BO": "S-1-5-32-551", "BU": "S-1-5-32-545",
	"CG": "S-1-3-1", "CO": "S-1-3-0", "ED": "S-1-5-9", "HA": "S-1-5-32-578", "IU": "S-1-5-4", "LS": "S-1-5-19", "LU": "S-1-5-32-559", "MU": "S-1-5-32-558",
	"NO": "S-1-5-32-556", "NS": "S-1-5-20", "NU": "S-1-5-2", "OW": "S-1-3-4", "PO": "S-1-5-32-550", "PS": "S-1-5-10", "PU": "S-1-5-32-547",
	"RC": "S-1-5-12", "RD": "S-1-5-32-555", "RE": "S-1-5-32-552", "RM": "S-1-5-32-580", "SO": "S-1-5-32-549", "SU": "S-1-5-6", "SY": "S-1-5-18",
	"WD": "S-1-1-0", "WR": "S-1-5-33", "AC": "S-1-15-2-1",
}

// rights are the letters of access masks in SDDL.
var rights = map[string]uint32{
	"GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000, "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
	"CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
	"FA": 0x1f01ff, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200a0, "KA": 0xf003f, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
}

// sddl reads a security descriptor in its text form (MS-DTYP 2.5.1).
func sddl(text string) snapshot.WindowsACL {
	acl, err := readSDDL(text)
	if err != nil {
		return snapshot.WindowsACL{Read: snapshot.Fact{State: snapshot.Error, Reason: short(err)}}
	}
	acl.Read = present
	return acl
}

func readSDDL(text string) (acl snapshot.WindowsACL, err error) {
	text = strings.TrimSpace(text)
	bad := fmt.Errorf("%w: %.60q", errNoDescriptor, text)
	if rest, ok := strings.CutPrefix(text, "O:"); ok {
		end := len(rest)
		for _, next := range []string{"G:", "D:", "S:"} {
			if i := strings.Index(rest, next); i >= 0 {
				end = min(end, i)
			}
		}
		acl.Owner = sidOf(rest[:end])
	}
	_, after, ok := strings.Cut(text, "D:")
	if !ok {
		acl.Open = true
		if acl.Owner == "" {
			return acl, bad
		}
		return acl, nil
	}
	list := after
	if j := strings.Index(list, "S:"); j >= 0 {
		list = list[:j]
	}
	if strings.HasPrefix(list, "NO_ACCESS_CONTROL") {
		acl.Open = true
		return acl, nil
	}
	flags, list, _ := strings.Cut(list, "(")
	if strings.Trim(flags, "PAIR") != "" {
		return acl, bad
	}
	for entry := range strings.SplitSeq(list, "(") {
		entry, ok := strings.CutSuffix(strings.TrimSpace(entry), ")")
		if entry == "" && list == "" {
			break
		}
		fields := strings.Split(entry, ";")
		if !ok || len(fields) < 6 || len(acl.Entries) >= maxEntries {
			return acl, bad
		}
		mask, err := maskOf(fields[2])
		if err != nil {
			return acl, bad
		}
		e := snapshot.WindowsAccess{SID: sidOf(fields[5]), Mask: mask, Allow: fields[0] == "A"}
		if fields[0] != "A" && fields[0] != "D" || len(fields) > 6 {
			e.Other = 255
		}
		e.InheritOnly, e.Inherited = pairs(fields[1], "IO"), pairs(fields[1], "ID")
		acl.Entries = append(acl.Entries, e)
	}
	return acl, nil
}

// pairs says whether a text of pairs of letters has that one.
func pairs(text, pair string) bool {
	for p := range slices.Chunk([]byte(text), 2) {
		if string(p) == pair {
			return true
		}
	}
	return false
}

func sidOf(text string) string {
	if s := aliases[text]; s != "" {
		return s
	}
	return text
}

func maskOf(text string) (mask uint32, err error) {
	if strings.HasPrefix(text, "0x") {
		n, err := strconv.ParseUint(text[2:], 16, 32)
		return uint32(n), err
	}
	for p := range slices.Chunk([]byte(text), 2) {
		m, ok := rights[string(p)]
		if !ok {
			return 0, errNoDescriptor
		}
		mask |= m
	}
	return mask, nil
}
