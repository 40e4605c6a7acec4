package snapshot

import (
	"path"
	"slices"
	"strings"
)

// checkPowers refuses files of kinds, triggers and permits that there are not.
func (s *Snapshot) checkPowers() error {
	p := &s.Powers
	if err := checkLevers(p.Files, "powers.files"); err != nil {
		return err
	}
	if err := checkLevers(p.Alone, "powers.alone"); err != nil {
		return err
	}
	for i := range p.Programs {
		if err := checkGates(p.Programs[i].Gates, "powers.programs", i); err != nil {
			return err
		}
	}
	for i := range p.Views {
		if !slices.IsSorted(p.Views[i].PIDs) {
			return wrong("processes out of their order", "powers.views[%d]", i)
		}
	}
	if s.Section("powers").Status == OK {
		if err := oneOf(p.SudoRead.State, factStates, "powers.sudoRead.state"); err != nil {
			return err
		}
		if p.DoasRead.State != "" { // older ones have none
			if err := oneOf(p.DoasRead.State, factStates, "powers.doasRead.state"); err != nil {
				return err
			}
		}
		if err := oneOf(p.PolkitRead.State, factStates, "powers.polkitRead.state"); err != nil {
			return err
		}
	}
	if p.Searched != "" && !slices.Contains([]string{SearchedPath, SearchedAll}, p.Searched) {
		return wrong("neither "+SearchedPath+" nor "+SearchedAll, "powers.searched")
	}
	return nil
}

// checkGates refuses directories on the way to something that are none.
func checkGates(gates []Gate, of string, i int) error {
	for j := range gates {
		if !path.IsAbs(gates[j].At) {
			return wrong("no absolute path", "%s[%d].gates[%d]", of, i, j)
		}
		for l := range gates[j].Permits {
			if err := oneOf(gates[j].Permits[l].Who, []PermitKind{PermitUser, PermitGroup, PermitAll}, "%s[%d].gates[%d].permits[%d].who", of, i, j, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLevers is checkPowers of one list of files.
func checkLevers(list []LeverFile, where string) error {
	for i := range list {
		f := &list[i]
		if err := oneOf(f.Kind, leverKinds, where+"[%d].kind", i); err != nil {
			return err
		}
		if err := oneOf(f.Trigger, Triggers, where+"[%d].trigger", i); err != nil {
			return err
		}
		named := f.Kind == LeverSocket && strings.HasPrefix(f.Path, "@")
		if !path.IsAbs(f.Path) && !named || f.UID < 0 {
			return wrong("no absolute path, or nobody's uid", where+"[%d]", i)
		}
		for j := range f.Permits {
			if !path.IsAbs(f.Permits[j].At) && (!named || f.Permits[j].At != f.Path) {
				return wrong("no absolute path", where+"[%d].permits[%d]", i, j)
			}
		}
		if err := checkGates(f.Gates, where, i); err != nil {
			return err
		}
		for j := range f.Permits {
			if err := oneOf(f.Permits[j].Who, []PermitKind{PermitUser, PermitGroup, PermitAll}, where+"[%d].permits[%d].who", i, j); err != nil {
				return err
			}
		}
	}
	return nil
}
