//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// omiConfig is where Open Management Infrastructure is configured on Linux.
const omiConfig = "/etc/opt/omi/conf/omiserver.conf"

// collectWinRM reads the configuration and version of OMI. Its listeners, and those of anything
// else on the WinRM ports, are in the listeners section.
func collectWinRM(_ context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	sec := &snap.WinRM
	absent := snapshot.Fact{State: snapshot.Absent}
	sec.HTTPPort, sec.HTTPSPort = absent, absent
	sec.OMIVersion = s.packageVersion("omi")
	b, err := s.Host.ReadFile(omiConfig)
	sec.OMIConfig = toFact(omiConfig, err)
	if err != nil {
		if !gone(err) {
			out.fail("read "+omiConfig, err)
		}
		return out
	}
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch strings.TrimSpace(strings.ToLower(k)) {
		case "httpport":
			sec.HTTPPort = present("%s", strings.TrimSpace(v))
		case "httpsport":
			sec.HTTPSPort = present("%s", strings.TrimSpace(v))
		}
	}
	return out
}

// packageVersion reads the version of an installed package from dpkg's database. Other package
// managers keep theirs in binary form; there it is an error, not absence.
func (s *Scan) packageVersion(name string) snapshot.Fact {
	b, err := s.Host.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		if gone(err) {
			return snapshot.Fact{State: snapshot.Error, Reason: "no dpkg database on this host"}
		}
		return toFact("", err)
	}
	in := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if v, ok := strings.CutPrefix(line, "Package: "); ok {
			in = v == name
		}
		if v, ok := strings.CutPrefix(line, "Version: "); ok && in {
			return present("%s", v)
		}
	}
	return snapshot.Fact{State: snapshot.Absent}
}
