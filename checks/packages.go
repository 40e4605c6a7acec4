//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// flooredPackages reads the versions of the packages that the data file has floors of: from the databases of dpkg and apk, which are text,
// and of rpm by rpm(8).
func (s *Scan) flooredPackages(ctx context.Context) ([]snapshot.Package, snapshot.Fact) {
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
	for _, db := range rpmDatabases {
		if _, err := s.Host.Lstat(db); err == nil {
			list, err := s.rpmPackages(ctx, path.Dir(db), names)
			if err != nil {
				return nil, snapshot.Fact{State: snapshot.Error, Reason: "rpm: " + err.Error()}
			}
			return list, present("%s", db)
		}
	}
	return nil, snapshot.Fact{State: snapshot.Error, Reason: "this host has no database of packages that is known (dpkg, apk, rpm)"}
}

// rpmDatabases are those of rpm: of sqlite, of ndb and of Berkeley DB.
var rpmDatabases = []string{
	"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages",
}

// rpmPackages asks rpm for those packages. It is asked on the host that is running alone, and reads files that root alone can write.
func (s *Scan) rpmPackages(ctx context.Context, dir string, names []string) ([]snapshot.Package, error) {
	if !s.Host.Live() || s.root != "" {
		return nil, errors.New("its database is read on the host itself alone")
	}
	if a, _, err := s.Host.Author(dir); err != nil {
		return nil, err
	} else if !a.Root() {
		return nil, fmt.Errorf("%s can be written by others than root", dir)
	}
	rpm, err := s.Host.ExecutablePath("rpm")
	if err != nil {
		return nil, err
	}
	cmd := host.Command(ctx, rpm, append([]string{"-qa", "--qf", `%{NAME}\t%{EVR}\n`}, names...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Env = &out, host.Environment()
	if err := host.Run(cmd); err != nil {
		return nil, err
	}
	return rpmLines(out.String(), names), nil
}

// rpmLines are the packages of those names in what rpm tells: a name, a tab, and the version with its epoch and release.
func rpmLines(text string, names []string) (list []snapshot.Package) {
	for line := range strings.Lines(text) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if p := (snapshot.Package{Name: name, Version: version}); ok && version != "" && slices.Contains(names, name) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b snapshot.Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	return list
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
