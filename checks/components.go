//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/rego"
	"github.com/ringfence/ringfence/snapshot"
)

// maxChangelog bounds what is read of a changelog, in bytes after it is unpacked; maxFixes what is kept.
const (
	maxChangelog = 8 << 20
	maxFixes     = 500
)

// findComponents adds the packages of runtimes that dpkg has installed. Other package managers keep their lists in binary form.
func (s *Scan) findComponents(sec *snapshot.Runtimes) {
	var data struct {
		Components []struct {
			Name     string   `json:"name"`
			Packages []string `json:"packages"`
			Upstream []string `json:"upstream"`
		} `json:"components"`
	}
	read := present("dpkg")
	defer func() { sec.ComponentsRead = &read }()
	if err := json.Unmarshal(rego.Floors, &data); err != nil {
		read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("floors of versions: %v", err)}
		return
	}
	b, err := s.Host.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		if read = toFact("", err); gone(err) {
			read.Reason = "no dpkg database on this host"
		}
		return
	}
	installed := dpkgVersions(b)
	for _, c := range data.Components {
		for _, name := range append(slices.Clone(c.Packages), c.Upstream...) {
			version, ok := installed[name]
			if !ok {
				continue
			}
			k := snapshot.Component{Name: c.Name, Package: name, Version: version, Vendor: !slices.Contains(c.Upstream, name), Changelog: snapshot.Fact{State: snapshot.Absent}}
			if k.Vendor {
				k.Fixes, k.Changelog = s.changelogFixes(name)
			}
			sec.Components = append(sec.Components, k)
		}
	}
}

// dpkgVersions are the versions of installed packages by their names (dpkg's status file).
func dpkgVersions(status []byte) map[string]string {
	list := map[string]string{}
	for block := range strings.SplitSeq(string(status), "\n\n") {
		name, version, ok := "", "", false
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			switch key, v, _ := strings.Cut(line, ": "); key {
			case "Package":
				name = v
			case "Version":
				version = v
			case "Status":
				ok = strings.HasSuffix(v, " installed")
			}
		}
		if ok && name != "" && version != "" {
			list[name] = version
		}
	}
	return list
}

var cveNumber = regexp.MustCompile(`CVE-[0-9]{4}-[0-9]{4,7}`)

// changelogFixes are the CVE numbers that the changelog of a package names (Debian policy, 12.7).
func (s *Scan) changelogFixes(name string) ([]string, snapshot.Fact) {
	file := "/usr/share/doc/" + name + "/changelog.Debian.gz"
	b, err := s.rootFile(file)
	if err != nil {
		return nil, toFact("", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("%s: %v", file, errMalformed)}
	}
	text, err := io.ReadAll(io.LimitReader(z, maxChangelog))
	if err != nil {
		return nil, snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("%s: %v", file, errMalformed)}
	}
	fixes := cveNumber.FindAllString(string(text), maxFixes)
	slices.Sort(fixes)
	return slices.Compact(fixes), present("%s", file)
}
