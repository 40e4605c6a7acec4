package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestWhatCommandsOfSudoGive: of a command that root lets somebody run it is told what is certain by its program and its words: root, secrets or the filter; more is not
// made of it.
func TestWhatCommandsOfSudoGive(t *testing.T) {
	for text, want := range map[string]power.Goal{
		"/usr/bin/su": power.Root, "/usr/bin/su -": power.Root, "/bin/su - root": power.Root, "/usr/bin/su - bob": "", "/usr/bin/su - *": power.Root,
		"/bin/bash -i": power.Root, "/bin/bash --login": power.Root, "/bin/bash --version": "", "/usr/bin/python3 -i": power.Root, "/bin/bash -i /opt/x": "",
		"/usr/bin/passwd": power.Root, "/usr/bin/passwd root": power.Root, "/usr/bin/passwd bob": "", "/usr/sbin/chpasswd": power.Root,
		"/usr/bin/crontab -e": power.Root, "/usr/bin/crontab -u root -e": power.Root, "/usr/bin/crontab -l": "", "/usr/bin/crontab -u bob -e": "",
		"/usr/sbin/visudo": power.Root, "/usr/sbin/ip": power.Root, "/usr/sbin/ip link set *": "", "/usr/sbin/ip *": power.Root,
		"/usr/bin/systemctl": power.Root, "/usr/bin/systemctl *": power.Root, "/usr/bin/systemctl restart *": "", "/usr/bin/systemctl --no-block restart app@*": "",
		"/usr/bin/systemctl enable *": power.Root, "/usr/bin/docker": power.Root, "/usr/bin/docker restart *": "", "/usr/bin/docker run *": power.Root,
		"/usr/sbin/service": power.Root, "/usr/sbin/service nginx *": "", "/usr/sbin/service * restart": power.Root, "/usr/bin/journalctl": "",
		"/usr/bin/cat": power.Secret, "/usr/bin/tail -f /var/log/*": power.Secret, "/usr/bin/tail -f /var/log/syslog": "", "/usr/bin/tee": power.Root,
		"/usr/sbin/nft": power.Filter, "/usr/sbin/iptables": power.Filter, "/usr/sbin/iptables -L *": "",
		"sudoedit": power.Root, "sudoedit /opt/*/a.conf": "", "sudoedit /etc/crontab": power.Root, "sudoedit /etc/systemd/system/a.service": power.Root,
		"/usr/bin/tee -a /etc/hosts": "", "/usr/bin/tee -a /etc/sudoers.d/a": power.Root, "/usr/bin/tee /etc/cron.d/../hosts": "",
		"/usr/bin/": power.Root, "/usr/bin/*": power.Root, "/usr/sbin/": power.Root, "/opt/*": "",
	} {
		s := quiet()
		s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"ann"}, As: []string{"root"}, Commands: []snapshot.SudoCommand{{Text: text}}}}
		for _, goal := range []power.Goal{power.Root, power.Secret, power.Filter} {
			verdict := power.Unknown
			if want == goal || want == power.Root {
				verdict = power.Yes
			}
			if a := answer(t, s, onHost(), goal); a.Verdict != verdict && (goal == power.Root || verdict == power.Yes) {
				t.Errorf("%s to %s: %s by %v, %v", text, goal, a.Verdict, a.Path, a.Because)
			}
		}
	}
}

// TestStarsAfterWhatIsDecided: a star is no leave to run anything where the words before it say already what runs, or where it is in the name of the program.
func TestStarsAfterWhatIsDecided(t *testing.T) {
	for text, want := range map[string]power.Verdict{
		"/usr/bin/python3 /opt/app.py *": power.Unknown, "/usr/bin/python3 -u /opt/app.py *": power.Unknown, "/usr/bin/python3 -m app *": power.Unknown,
		"/usr/bin/python3 *": power.Yes, "/usr/bin/python3 /opt/*": power.Yes, "/usr/bin/timeout 9 /opt/run *": power.Unknown, "/usr/bin/timeout 9 *": power.Yes,
		"/usr/bin/env A=b *": power.Yes, "/bin/su - web*": power.Unknown, "/bin/su web -c *": power.Unknown, "/bin/su - r*": power.Yes, "/bin/su *": power.Yes,
		"/usr/bin/passwd -l *": power.Unknown, "/usr/bin/passwd [a-z]*": power.Yes, "/usr/bin/passwd www-*": power.Unknown, "/usr/bin/sudo -u bob *": power.Unknown,
		"/usr/bin/pacman -Q *": power.Unknown, "/usr/bin/pacman *": power.Yes, "/usr/bin/zypper info *": power.Unknown,
		"/opt/*/tar -tf /opt/a.tar": power.Unknown, "/usr/bin/tar -cf /opt/a.tar *": power.Yes, "/usr/bin/find /var *": power.Yes,
	} {
		s := quiet()
		s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"ann"}, As: []string{"root"}, Commands: []snapshot.SudoCommand{{Text: text}}}}
		if a := answer(t, s, onHost(), power.Root); a.Verdict != want {
			t.Errorf("%s: %s by %v, %v", text, a.Verdict, a.Path, a.Because)
		}
	}
	s := quiet()
	s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"ann"}, As: []string{"root"}, Commands: []snapshot.SudoCommand{{Text: "/opt/*/cat /opt/a"}}}}
	if a := answer(t, s, onHost(), power.Secret); a.Verdict != power.Unknown {
		t.Errorf("a star in the name of a program: secrets: %s by %v", a.Verdict, a.Path)
	}
}

// TestCommandsThatGiveRootAlone: what makes root of who runs it as root makes nobody of who runs it as another.
func TestCommandsThatGiveRootAlone(t *testing.T) {
	for text, want := range map[string]power.Verdict{
		"/usr/bin/mount": power.Unknown, "/bin/su -": power.Unknown, "/usr/bin/passwd": power.Unknown, "/usr/bin/ip *": power.Unknown,
		"/usr/bin/tee /etc/sudoers.d/a": power.Unknown, "/usr/bin/crontab -u root -e": power.Unknown, "/bin/bash": power.Yes, "/bin/bash -i": power.Yes,
	} {
		s := quiet()
		s.Powers.Accounts = append(s.Powers.Accounts, snapshot.Account{Name: "eve", UID: 1003, GID: 1003})
		s.Powers.Sudo = []snapshot.SudoRule{
			{Users: []string{"ann"}, As: []string{"eve"}, Commands: []snapshot.SudoCommand{{Text: text}}},
			{Users: []string{"eve"}, As: []string{"root"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}},
		}
		if a := answer(t, s, onHost(), power.Root); a.Verdict != want {
			t.Errorf("sudo %s: %s by %v, %v", text, a.Verdict, a.Path, a.Because)
		}
	}
	s := quiet()
	s.Powers.Sudo = []snapshot.SudoRule{{Users: []string{"ann"}, AsGroups: []string{"disk"}, Commands: []snapshot.SudoCommand{{Text: "/usr/bin/mount"}}}}
	s.Powers.Files = []snapshot.LeverFile{file("/opt/run", snapshot.LeverProgram, root, snapshot.TriggerTimer, ofGroup(disks, "/opt/run"))}
	if a := answer(t, s, onHost(), power.Root); a.Verdict != power.Unknown {
		t.Errorf("with another group: %s by %v, %v", a.Verdict, a.Path, a.Because)
	}
}

// TestReadingProgramsOfRootReadSecrets: a set-id program that reads files, or one that may read all of them, gives their text, and is not known to give more.
func TestReadingProgramsOfRootReadSecrets(t *testing.T) {
	for name, p := range map[string]snapshot.GainProgram{
		"of root":                      {Path: "/opt/tail", Mode: 0o755, SetUID: new(int)},
		"that searches and reads all":  {Path: "/opt/tail", Mode: 0o755, Caps: "0000000000000004"},
		"to which no file is closed":   {Path: "/opt/tail", Mode: 0o755, Caps: "0000000000000002"},
		"of root, with a version name": {Path: "/opt/tail9.1", Mode: 0o755, SetUID: new(int)},
	} {
		s := quiet()
		s.Powers.Programs = append(s.Powers.Programs, p)
		if a := answer(t, s, onHost(), power.Secret); a.Verdict != power.Yes {
			t.Errorf("%s: secrets: %s, %v", name, a.Verdict, a.Because)
		}
		if a := answer(t, s, onHost(), power.Root); a.Verdict == power.Yes {
			t.Errorf("%s: root by %v", name, a.Path)
		}
	}
}

// TestProgramsBehindClosedDirectories: a set-id program gives nothing to who does not get through the directories on the way to it.
func TestProgramsBehindClosedDirectories(t *testing.T) {
	gate := func(permits ...snapshot.Permit) []snapshot.Gate {
		return []snapshot.Gate{{At: "/opt/d", Permits: permits}}
	}
	for name, c := range map[string]struct {
		gates []snapshot.Gate
		caps  uint64
		want  power.Verdict
	}{
		"an open way":                    {nil, 0, power.Yes},
		"a directory of root":            {gate(), 0, power.No},
		"a directory of another group":   {gate(ofGroup(disks, "/opt/d")), 0, power.No},
		"a directory of its group":       {gate(ofGroup(staff, "/opt/d")), 0, power.Yes},
		"root's, by CAP_DAC_READ_SEARCH": {gate(), 1 << 2, power.Yes},
	} {
		s := quiet()
		s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/opt/d/find", Mode: 0o755, SetUID: new(int), Gates: c.gates})
		st := onHost()
		st.Caps = c.caps
		if a := answer(t, s, st, power.Root); a.Verdict != c.want {
			t.Errorf("%s: %s by %v, %v", name, a.Verdict, a.Path, a.Because)
		}
	}
}
