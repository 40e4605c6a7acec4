//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// flooredPackages reads the versions of the packages that the data file has floors of: from the databases of dpkg and apk, which are text.
// That of rpm is none, and is not read.
func (s *Scan) flooredPackages() ([]snapshot.Package, snapshot.Fact) {
	names, err := flooredNames()
	if err != nil {
		return nil, toFact("", err)
	}
	for _, db := range []struct {
		file, name, version string
	}{
		{"/var/lib/dpkg/status", "Package: ", "Version: "},
		{"/lib/apk/db/installed", "P:", "V:"},
	} {
		b, err := s.Host.ReadFile(db.file)
		if err == nil {
			return packagesIn(string(b), db.name, db.version, names), present("%s", db.file)
		}
		if !gone(err) {
			return nil, toFact("", err)
		}
	}
	return nil, snapshot.Fact{State: snapshot.Error, Reason: "this host has no database of packages that is text (dpkg, apk)"}
}

// flooredNames are the packages that the data file names.
func flooredNames() ([]string, error) {
	var data struct {
		Floors []struct {
			Packages []struct {
				Name string `json:"name"`
			} `json:"packages"`
		} `json:"floors"`
	}
	if err := json.Unmarshal(rego.Floors, &data); err != nil {
		return nil, err
	}
	var names []string
	for _, f := range data.Floors {
		for _, p := range f.Packages {
			names = append(names, p.Name)
		}
	}
	return names, nil
}

// packagesIn are the packages of those names that are installed, in the database of dpkg or apk: paragraphs of lines, an empty one between
// them. One that was removed and has left its configuration is not installed (dpkg(1)).
func packagesIn(text, nameKey, versionKey string, names []string) (list []snapshot.Package) {
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		p, installed := snapshot.Package{}, true
		for line := range strings.Lines(paragraph) {
			line = strings.TrimRight(line, "\n")
			if v, ok := strings.CutPrefix(line, nameKey); ok {
				p.Name = v
			} else if v, ok := strings.CutPrefix(line, versionKey); ok {
				p.Version = v
			} else if v, ok := strings.CutPrefix(line, "Status: "); ok {
				installed = strings.HasSuffix(v, " installed")
			}
		}
		if installed && p.Version != "" && slices.Contains(names, p.Name) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b snapshot.Package) int { return strings.Compare(a.Name, b.Name) })
	return list
}
