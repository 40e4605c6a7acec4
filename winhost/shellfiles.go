package winhost

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// shellFile is the file that told of a kind of objects, or the last of several.
type shellFile struct {
	name    string
	time    time.Time
	objects []object
}

// alone are the kinds of which one command tells all, with the part that it is about: of two files with other objects one is of another time, or of
// another host. Of other kinds there can be several: rules of several stores.
var alone = map[shellKind]string{
	shellTCP: "listeners", shellUDP: "listeners", shellNetwork: "adapters", shellAdapter: "adapters", shellAddress: "adapters", shellRoute: "adapters",
	shellDNS: "adapters", shellService: "services", shellProcess: "processes", shellHyperV: "hyperv", shellPipe: "pipes", shellHNS: "networks",
	shellNAT: "networks", shellNATMap: "networks",
}

// shell reads a file of PowerShell. What another file told of too is not mixed with that: the file that was changed last counts, and the part has a gap,
// since it need not be the right one.
func (r *filesReader) shell(f *File, b []byte) error {
	var one Shell
	if err := one.Add(f.Name, b); err != nil {
		if strings.HasSuffix(strings.ToLower(f.Name), ".json") {
			return damaged(err, "firewall", "hyperv", "services", "adapters", "listeners", "networks", "pipes", "processes")
		}
		return err
	}
	if r.s.Shell.objects == nil {
		r.s.Shell.objects = map[shellKind][]object{}
	}
	for _, kind := range slices.Sorted(maps.Keys(one.objects)) {
		list := one.objects[kind]
		old := r.told[kind]
		switch part := alone[kind]; {
		case old == nil:
			r.told[kind] = &shellFile{f.Name, f.Time, list}
		case part == "" || apart(old.objects, list):
			list = slices.Concat(old.objects, list)
			r.told[kind] = &shellFile{f.Name, f.Time, list}
		case reflect.DeepEqual(old.objects, list):
		case fuller(kind, list) && !fuller(kind, old.objects): // of another command, which tells more
			r.told[kind] = &shellFile{f.Name, f.Time, list}
		case fuller(kind, old.objects) && !fuller(kind, list):
			list = old.objects
		case f.Time.After(old.time):
			r.s.note(part, "%s and %s tell other things of the same: %s counts, which was changed last", old.name, f.Name, f.Name)
			r.told[kind] = &shellFile{f.Name, f.Time, list}
		default:
			r.s.note(part, "%s and %s tell other things of the same: %s counts", old.name, f.Name, old.name)
			list = old.objects
		}
		if err := r.s.Shell.keep(kind, list); err != nil {
			return err
		}
	}
	return nil
}

// apart says of two lists of addresses or routes that each is of one family: a command may be asked for one.
func apart(a, b []object) bool {
	x, y := familyIn(a), familyIn(b)
	return x != 0 && y != 0 && x != y
}

// familyIn is 4 or 6, 0 of a list with both or of something else.
func familyIn(list []object) (family int) {
	for _, o := range list {
		text := o.text("ipaddress", "destinationprefix")
		is := 0
		switch {
		case strings.Contains(text, ":"):
			is = 6
		case text != "" && text[0] >= '0' && text[0] <= '9':
			is = 4
		default:
		}
		if is == 0 || family != 0 && family != is {
			return 0
		}
		family = is
	}
	return family
}

// fuller says of services and processes that they are told by the command that tells most of them.
func fuller(kind shellKind, list []object) bool {
	property := map[shellKind]string{shellService: "pathname", shellProcess: "executablepath"}[kind]
	if property == "" || len(list) == 0 {
		return false
	}
	_, ok := list[0][property]
	return ok
}
