//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestRefusedFilesAreNone: cron of Debian takes no table that others than root own or write, and none of another name; run-parts goes by names too. What it
// says there is run by nobody. A directory in which others make files is unknown, and other crons are none of it.
func TestRefusedFilesAreNone(t *testing.T) {
	const debian, parts = "755 0:0 /usr/sbin/cron = x\n", "755 0:0 /usr/bin/run-parts = \x7fELF\n"
	const owned = "644 0:0 /var/lib/dpkg/info/cron.list = /.\n/usr/sbin/cron\n"
	for name, c := range map[string]struct {
		files []string
		want  []string // paths, with a ? where it is not sure
	}{
		"a table of ann":              {[]string{debian, "644 1000:0 /etc/cron.d/a = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, nil},
		"a table of everybody":        {[]string{debian, "666 0:0 /etc/cron.d/a = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, nil},
		"a table with a dot":          {[]string{debian, "644 0:0 /etc/cron.d/a.b = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, nil},
		"a table with a dot, with -l": {[]string{debian, "644 0:0 /etc/default/cron = # -L\nEXTRA_OPTS=\"-L 5 -l\"\n", "644 0:0 /etc/cron.d/a.b = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, []string{"/opt/run"}},
		"a table with a dot, with -L": {[]string{debian, "644 0:0 /etc/default/cron = # -l\nEXTRA_OPTS=\"-L 5\"\n", "644 0:0 /etc/cron.d/a.b = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, nil},
		"a table of root":             {[]string{debian, "644 0:0 /etc/cron.d/a = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, []string{"/opt/run"}},
		"the directory of tables":     {[]string{debian, "777 0:0 /etc/cron.d/"}, []string{"/etc/cron.d?"}},
		"another cron":                {[]string{"644 1000:0 /etc/cron.d/a = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, []string{"/etc/cron.d/a", "/opt/run"}},
		"another cron of the name":    {[]string{"755 0:0 /usr/sbin/cron = cronie\n", "644 0:0 /etc/cron.d/a.b = * * * * * root /opt/run\n", "777 0:0 /opt/run = x\n"}, []string{"/opt/run"}},
		"a program with a dot":        {[]string{parts, "777 0:0 /etc/cron.daily/a.sh = x\n"}, nil},
		"a program of run-parts":      {[]string{parts, "777 0:0 /etc/cron.daily/a = x\n"}, []string{"/etc/cron.daily/a"}},
		"rules of sudo of ann":        {[]string{"440 1000:0 /etc/sudoers.d/a = x\n"}, nil},
		"of the group of root":        {[]string{"460 0:0 /etc/sudoers.d/a = x\n"}, []string{"/etc/sudoers.d/a"}},
		"of another group":            {[]string{"460 0:50 /etc/sudoers.d/a = x\n"}, nil},
		"settings of logrotate":       {[]string{"664 0:0 /etc/logrotate.d/a = x\n"}, nil},
	} {
		snap := new(snapshot.Snapshot)
		if slices.Contains(c.files, debian) {
			c.files = append(c.files, owned)
		}
		collectPowers(t.Context(), powerHost(t, c.files...), snap)
		var got []string
		for _, f := range snap.Powers.Files {
			if f.Unsure != "" {
				f.Path += "?"
			}
			if (strings.HasPrefix(f.Path, "/etc/") || f.Path == "/opt/run") && f.Kind != snapshot.LeverSecret && !slices.Contains(got, f.Path) {
				got = append(got, f.Path)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: want %q, got %q", name, c.want, got)
		}
	}
}

// TestRulesThatSudoRefuses: rules of a file that sudo does not take are not read, and the others are.
func TestRulesThatSudoRefuses(t *testing.T) {
	const main = "440 0:0 /etc/sudoers = root ALL=ALL\n@includedir /etc/sudoers.d\n@include /etc/%h.rules\n"
	s := powerHost(t, main, "440 0:0 /etc/sudoers.d/a = # good\n", "666 0:0 /etc/sudoers.d/b = # bad\n", "440 1000:0 /etc/sudoers.d/c = # bad\n", "440 0:0 /etc/sudoers.d/d~ = # bad\n",
		"440 0:0 /etc/web1.rules = # host\n", "644 0:0 /proc/sys/kernel/hostname = web1\n")
	if text, all := s.sudoers(); all || !strings.Contains(string(text), "# good\n") || !strings.Contains(string(text), "# host\n") || strings.Contains(string(text), "bad") {
		t.Errorf("%v\n%s", all, text)
	}
	if text, all := powerHost(t, main, "440 0:0 /etc/sudoers.d/a = # good\n").sudoers(); !all {
		t.Errorf("all are taken\n%s", text)
	}
	if text, all := powerHost(t, "446 0:0 /etc/sudoers = root ALL=ALL\n").sudoers(); all || len(text) != 0 {
		t.Errorf("%v\n%s", all, text)
	}
}

// TestCronIsAskedForOnce: whose cron it is is found for the first file that depends on it, and for no file that does not.
func TestCronIsAskedForOnce(t *testing.T) {
	const list = "/var/lib/dpkg/info/cron.list"
	s := powerHost(t, "755 0:0 /usr/sbin/cron = x\n", "644 0:0 "+list+" = /.\n/usr/sbin/cron\n")
	asked := 0
	s.Host = s.Host.Noting(func(p string) {
		if p == list {
			asked++
		}
	})
	l := &levers{s: s, w: s.newPermitWalker()}
	for i, p := range []string{"/etc/passwd", "/etc/cron.d/a", "/etc/crontab"} {
		if got := l.strictOf(p); (got == &strictCron) != (i > 0) || asked != min(i, 1) {
			t.Errorf("%s: strict %v, cron was asked for %d times", p, got, asked)
		}
	}
}
