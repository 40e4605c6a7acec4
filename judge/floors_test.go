package judge

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// TestVersionsAreComparedAsDpkgDoes holds what "dpkg --compare-versions" says of the same pairs.
func TestVersionsAreComparedAsDpkgDoes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1:9.2p1-2+deb12u7", "1:9.2p1-2+deb12u3", 1},
		{"1:9.2p1-2+deb12u3", "1:9.2p1-2+deb12u10", -1},
		{"1.9.16p2-3", "1.9.16p2-3+deb13u1", -1},
		{"1.0.0~rc93+ds1-5", "1.0.0-1", -1},
		{"2:1.0-1", "1:9.0-1", 1},
		{"1.7.33", "1.7.4", 1},
		{"9.8p1", "9.8", 1},
		{"1.0", "1.0", 0},
		{"1.0-0", "1.0", 0},
		{"1.0a", "1.0+", -1},
	} {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := compareVersions(c.b, c.a); got != -c.want {
			t.Errorf("%s and %s: %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

// TestFloors: a package of the authors is judged by its number, one of a distribution by what the distribution mended, and where that is
// not known, nothing is said.
func TestFloors(t *testing.T) {
	data, err := readFloors()
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*floor{}
	for i := range data.Floors {
		byID[data.Floors[i].ID] = &data.Floors[i]
	}
	for _, c := range []struct {
		id, version, system string
		upstream            bool
		want                string
	}{
		{"CVE-2024-6387", "1:9.2p1-2+deb12u2", "debian 12", false, "below"},
		{"CVE-2024-6387", "1:9.2p1-2+deb12u7", "debian 12", false, "above"},
		{"CVE-2024-6387", "1:10.0p1-7", "debian 13", false, "above"},
		{"CVE-2024-6387", "1:8.4p1-5+deb11u3", "debian 11", false, "above"},
		{"CVE-2024-6387", "1:9.6p1-4", "kali 2024.2", false, "unknown"},
		{"CVE-2026-53488", "1.7.28-1~debian.12~bookworm", "debian 12", true, "below"},
		{"CVE-2026-53488", "1.7.33-1", "debian 12", true, "above"},
		{"CVE-2026-53488", "2.2.5-1~ubuntu.24.04~noble", "ubuntu 24.04", true, "above"},
		{"CVE-2026-53488", "2.2.4-1", "ubuntu 24.04", true, "below"},
		{"CVE-2026-53488", "2.4.0-1", "ubuntu 24.04", true, "above"},
		{"CVE-2026-53488", "1.6.20~ds1-1+b1", "debian 12", false, "above"},
		{"CVE-2026-53488", "1.7.24~ds1-1", "debian 13", false, "unknown"},
		{"CVE-2024-41110", "5:27.1.1-1~debian.12~bookworm", "debian 12", true, "above"},
		{"CVE-2024-41110", "5:24.0.9-1~debian.12~bookworm", "debian 12", true, "below"},
		{"CVE-2025-32463", "1.9.13p3-1+deb12u2", "debian 12", false, "above"},
		{"CVE-2025-32463", "1.9.16p2-2", "debian 13", false, "below"},
		{"CVE-2024-3094", "5.6.1+really5.4.5-1", "debian 13", false, "unknown"},
		{"CVE-2024-3094", "5.4.1-0.2", "debian 12", false, "above"},
		{"CVE-2021-38647", "1.6.8-0", "ubuntu 20.04", true, "below"},
		{"CVE-2021-38647", "1.6.8-1", "ubuntu 20.04", true, "above"},
	} {
		if got := byID[c.id].state(&snapshot.Package{Version: c.version}, c.upstream, c.system); got != c.want {
			t.Errorf("%s: %s on %s: %s, want %s", c.id, c.version, c.system, got, c.want)
		}
	}
}

// TestFloorsData: each row says where it is told, and no row is of the future.
func TestFloorsData(t *testing.T) {
	data, err := readFloors()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.DateOnly, data.Date); err != nil {
		t.Error(err)
	}
	id := regexp.MustCompile(`^(CVE-\d{4}-\d+|GHSA-[0-9a-z-]+)$`)
	for _, f := range data.Floors {
		if !id.MatchString(f.ID) || !strings.HasPrefix(f.Source, "https://") || len(f.Fixed) == 0 || len(f.Packages) == 0 || f.What == "" {
			t.Errorf("%+v", f)
		}
		for i := 1; i < len(f.Fixed); i++ {
			if compareVersions(f.Fixed[i-1], f.Fixed[i]) >= 0 {
				t.Errorf("%s: %v are not in order", f.ID, f.Fixed)
			}
		}
	}
}
