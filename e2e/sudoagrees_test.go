//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// people are whom rules of sudo and doas are about: pat is in the group ops by it being the first of the account.
var people = []string{"agent", "bob", "pat"}

// probes are commands by which who runs one of them as root is root.
var probes = [][]string{
	{"/usr/bin/find", "/opt", "-maxdepth", "0", "-exec", "id", "-u", ";"},
	{"/usr/bin/env", "id", "-u"},
	{"/bin/sh", "-c", "id -u"},
	{"/usr/bin/perl", "-e", "print 0"},
	{"/tmp/a", "-u"},
	{"/var/tmp/a", "-u"},
	{"/opt/job/run"},
	{"/usr/bin/tee", "/etc/motd", "/run/steps/x"},
	{"/usr/bin/tee"},
}

// sudoersMaker makes files of rules.
type sudoersMaker struct {
	*rand.Rand
	host string
}

func (m sudoersMaker) of(list ...string) string { return list[m.IntN(len(list))] }

// some is a list of members, some of them kept out.
func (m sudoersMaker) some(list ...string) string {
	var out []string
	for range 1 + m.IntN(3) {
		out = append(out, m.of("", "", "", "!")+m.of(list...))
	}
	return strings.Join(out, ", ")
}

func (m sudoersMaker) commands() string {
	var out []string
	for range 1 + m.IntN(4) {
		out = append(out, m.of("", "", "", "", "NOPASSWD: ", "NOPASSWD: ", "PASSWD: ", "NOPASSWD: SETENV: ")+m.of("", "", "", "!")+
			m.of("ALL", "ALL", "ALL", "/usr/bin/find", "/usr/bin/find /etc", "/usr/bin/env", "/bin/sh", "/usr/bin/id", "/usr/bin/", "/opt/job/run", "/opt/job/*", "/usr/bin/f*", `/usr/bin/env ""`,
				"/usr/bin/tee /etc/motd*", "/usr/bin/tee", "/tmp/*", "SHELLS", "MOST", "^/usr/bin/.*$"))
	}
	return strings.Join(out, ", ")
}

func (m sudoersMaker) file() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Defaults env_reset, !lecture\nUser_Alias PEOPLE = %s\nUser_Alias OTHERS = %s\n", m.some("agent", "bob", "ALL", "%ops"), m.some("agent", "PEOPLE", "pat"))
	fmt.Fprintf(&b, "Host_Alias HERE = %s\nRunas_Alias HIGH = %s\nCmnd_Alias SHELLS = /bin/sh, /bin/dash, !/usr/bin/env\nCmnd_Alias MOST = ALL, !SHELLS\n",
		m.some(m.host, "ALL", "other"), m.some("root", "bob", "ALL"))
	b.WriteString("root ALL=(ALL:ALL) ALL\n")
	for range 1 + m.IntN(4) {
		fmt.Fprintf(&b, "%s %s = %s%s\n", m.some("agent", "agent", "bob", "pat", "%ops", "%#50", "#1001", "ALL", "PEOPLE", "OTHERS", "AGENT", "%OPS"),
			m.of("ALL", "ALL", "ALL", "HERE", m.host, "other", "!"+m.host),
			m.of("", "", "(root) ", "(ALL) ", "(ALL:ALL) ", "(bob) ", "(HIGH) ", "(#0) ", "(ALL, !root) ", "(!bob, ALL) ", "(:ops) ", "(root:ops) "), m.commands())
	}
	return b.String()
}

// answersOf are the answers of everybody about root.
func answersOf(t *testing.T) map[string]power.Answer {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), bed.Program(t), "paths", "-q", "--to", "root", "-f", "json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var doc struct{ Answers []power.Answer }
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	list := map[string]power.Answer{}
	for _, a := range doc.Answers {
		list[strings.TrimPrefix(a.Principal.Name, "account ")] = a
	}
	return list
}

var refused = regexp.MustCompile(`(?m)^sudo: |^Sorry, user|is not allowed|may not run|^doas: `)

// peopleScene is a host on which people have accounts and nothing else, and files by which a command that they run makes them root.
func peopleScene(t *testing.T) {
	t.Helper()
	agentScene(t)
	bed.Shell(t, "sed -i '/:50:/d' /etc/group; echo ops:x:50:agent >>/etc/group; echo bob:x:1002:1002::/nonexistent:/bin/sh >>/etc/passwd; echo bob:x:1002: >>/etc/group; "+
		"echo pat:x:1003:50::/nonexistent:/bin/sh >>/etc/passwd; printf 'bob:*:1::::::\npat:*:1::::::\n' >>/etc/shadow; "+
		"rm -rf /etc/sudoers.d/* /etc/doas.conf; mkdir -p /opt/job; printf '#!/bin/sh\nid -u\n' >/opt/job/run; chmod 777 /opt/job/run; cp /usr/bin/id /tmp/a; cp /usr/bin/id /var/tmp/a; chmod 755 /tmp/a /var/tmp/a; "+
		"echo \"127.0.0.1 $(hostname)\" >>/etc/hosts")
}

// count is how many files are tried.
func count(t *testing.T, variable string, usually int) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return usually
}

// TestSudoAgrees: of files of rules with aliases, negations and tags the answer is what sudo does: whoever is said to become root at once does, with a
// password may, and whoever is not may by nothing.
func TestSudoAgrees(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "sudo", "visudo", "cvtsudoers", "perl", "find", "hostname")
	peopleScene(t)
	agrees(t, "RINGFENCE_SUDO", func(m sudoersMaker) (string, bool) {
		text := m.file()
		if err := os.WriteFile("/etc/sudoers", []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
		return text, exec.CommandContext(t.Context(), "visudo", "-cf", "/etc/sudoers").Run() == nil
	}, func(who string, probe []string) (atOnce, withPassword bool) {
		atOnce = runsAs(t, who, append([]string{"sudo", "-n", "-u", "root"}, probe...))
		list := exec.CommandContext(t.Context(), "sudo", append([]string{"-n", "-l", "-U", who, "-u", "root"}, probe...)...)
		return atOnce, atOnce || list.Run() == nil
	})
}

// runsAs runs a command as somebody, and says whether it was allowed.
func runsAs(t *testing.T, who string, command []string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "setpriv", append([]string{"--reuid", who, "--regid", map[string]string{"agent": "1001", "bob": "1002", "pat": "50"}[who], "--init-groups"}, command...)...)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	return err == nil && !refused.Match(out)
}

// agrees holds answers against what a program does, for files that are made.
func agrees(t *testing.T, variable string, write func(sudoersMaker) (string, bool), does func(who string, probe []string) (atOnce, withPassword bool)) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	m := sudoersMaker{rand.New(rand.NewPCG(uint64(count(t, variable+"_SEED", 1)), 2)), host}
	seen := map[power.Verdict]int{}
	for n := 0; n < count(t, variable, 12); {
		text, ok := write(m)
		if !ok {
			continue
		}
		n++
		answers := answersOf(t)
		for _, who := range people {
			a, ok := answers[who]
			if !ok {
				t.Fatalf("no answer about %s", who)
			}
			now, ever := "", ""
			for _, p := range probes {
				atOnce, withPassword := does(who, p)
				if atOnce {
					now = strings.Join(p, " ")
				}
				if withPassword {
					ever = strings.Join(p, " ")
				}
			}
			v := a.Verdict
			if v == power.Unknown && a.Unsearched {
				v = power.No
			}
			seen[v]++
			switch { // a step of its own by each file; those by others and by two accounts are not tried
			case v == power.Yes && (len(a.Path) > 1 || a.Path[0].Kind == power.ByFile):
			case v == power.Yes && a.Trigger == snapshot.TriggerNone && now == "", v == power.Yes && ever == "":
				t.Errorf("%s is said to become root, and does not: %s, %s\n%s", who, a.Trigger, edgesOf(a.Path), text)
			case v == power.No && ever != "":
				t.Errorf("%s is said not to become root, and does by %s\n%s", who, ever, text)
			}
			if v == power.Unknown {
				t.Logf("unknown of %s: %v", who, a.Because)
			}
		}
	}
	t.Logf("answers: %v", seen)
	if seen[power.Yes] == 0 || seen[power.No] == 0 || seen[power.Unknown] > seen[power.Yes]+seen[power.No] {
		t.Errorf("answers: %v", seen)
	}
}

func edgesOf(path []power.Edge) string {
	var list []string
	for _, e := range path {
		list = append(list, e.Text)
	}
	return strings.Join(list, "; ")
}

// doasFile makes a file of rules of doas. Words of sudo are no more than words there.
func (m sudoersMaker) doasFile() string {
	var b strings.Builder
	for range 1 + m.IntN(6) {
		rule := m.of("permit ", "permit nopass ", "permit nopass ", "permit nopass keepenv setenv { -ENV A=b } ", "permit persist ", "deny ", "deny ")
		rule += m.of("agent", "agent", "bob", "pat", ":ops", ":50", "1001", "ALL", "%ops", "!agent", `"agent"`, `""`, "+agent", ":bob")
		rule += m.of("", "", "", " as root", " as 0", " as bob", " as ALL")
		rule += m.of("", "", "", " cmd /usr/bin/find", " cmd find", " cmd /bin/sh", " cmd /usr/bin/env", " cmd ALL", " cmd /opt/job/run", " cmd /opt/job/run args", " cmd /usr/bin/tee args *", " cmd /tmp/a",
			" cmd /usr/bin/env args id -u", " cmd \"/usr/bin/perl\"", " cmd *")
		b.WriteString(rule + m.of("", "", "", " # so it is") + "\n")
	}
	return b.String()
}

// TestDoasAgrees: likewise of the rules of doas, of which the last that matches decides.
func TestDoasAgrees(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "setpriv", "doas", "cvtsudoers", "perl", "find")
	peopleScene(t)
	bed.Shell(t, "echo 'root ALL=(ALL:ALL) ALL' >/etc/sudoers; chmod 4755 /usr/bin/doas")
	agrees(t, "RINGFENCE_DOAS", func(m sudoersMaker) (string, bool) {
		text := m.doasFile()
		for _, f := range []struct {
			name string
			mode os.FileMode
		}{{"/etc/doas.conf", 0o400}, {"/run/steps/doas.conf", 0o644}} {
			if err := os.WriteFile(f.name, []byte(text), f.mode); err != nil {
				t.Fatal(err)
			}
		}
		return text, exec.CommandContext(t.Context(), "doas", "-C", "/etc/doas.conf").Run() == nil
	}, func(who string, probe []string) (atOnce, withPassword bool) {
		for _, name := range []string{probe[0], probe[0][strings.LastIndex(probe[0], "/")+1:]} {
			as := append([]string{"doas", "-n", "-u", "root", name}, probe[1:]...)
			atOnce = atOnce || runsAs(t, who, as)
			as = append([]string{"doas", "-C", "/run/steps/doas.conf", "-u", "root", name}, probe[1:]...)
			withPassword = withPassword || runsAs(t, who, as)
		}
		return atOnce, atOnce || withPassword
	})
}
