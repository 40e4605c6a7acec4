// Package need says what a test does where a program or a feature of the kernel is missing.
package need

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// brought are programs that a machine has or has not: "make deps" installs no compiler, and nothing that tests with a target of their own need alone.
var brought = []string{"gcc", "git", "qemu-system-x86_64", "ansible-playbook", "/usr/lib/wine/wine64"}

// Program is the path of a program that a test needs. "make deps" installs it on Linux, where a test without it fails; on other systems, and where
// nothing installs it, the test is skipped.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case slices.Contains(brought, name):
		t.Skipf("the machine lacks the program %s", name)
	case runtime.GOOS != "linux":
		t.Skipf("the machine lacks the program %s, and make deps installs it on Linux alone", name)
	default:
		t.Fatalf("needs the program %s: make deps installs it", name)
	}
	return path
}

// lacking is how nft, iptables, ip and sysctl tell that the kernel has not what was asked for.
var lacking = regexp.MustCompile(`No such file or directory|[Nn]ot supported|missing kernel module|Unknown device type|No such device`)

// options are the ones of the kernel that words of nft and sysctl need (net/netfilter/Kconfig).
var options = []struct{ word, option string }{
	{"queue", "NFT_QUEUE"},
	{"synproxy", "NFT_SYNPROXY"},
	{"osf", "NFT_OSF"},
	{"numgen", "NFT_NUMGEN"},
	{"hash", "NFT_HASH"},
	{"ct ", "NFT_CT"},
	{"bridge-nf", "BRIDGE_NETFILTER"},
}

// extension is a match or a target in a command line of iptables.
var extension = regexp.MustCompile(`(-m|-j) (\w+)`)

// others are extensions whose option has another name than theirs.
var others = map[string]string{"ttl": "HL", "TTL": "HL", "tos": "DSCP", "TOS": "DSCP"}

// optionsOf are the options of the kernel that a command or a ruleset needs, as far as they are known.
func optionsOf(asked string) (list []string) {
	for _, m := range extension.FindAllStringSubmatch(asked, -1) {
		name := m[2]
		if other := others[name]; other != "" {
			name = other
		}
		if kind := map[string]string{"-m": "MATCH_", "-j": "TARGET_"}[m[1]]; m[2] != "ACCEPT" && m[2] != "DROP" {
			list = append(list, "CONFIG_NETFILTER_XT_"+kind+strings.ToUpper(name))
		}
	}
	for _, o := range options {
		if len(list) == 0 && strings.Contains(asked, o.word) {
			list = append(list, "CONFIG_"+o.option)
		}
	}
	return list
}

// config is what the running kernel tells of its configuration; nil where it tells nothing.
func config() []byte {
	f, err := os.Open("/proc/config.gz")
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil
	}
	return text
}

// lacks are the options that a kernel of that configuration lacks for what was asked for and ended with this output; empty if it is another error.
func lacks(config []byte, asked string, out []byte) (list []string) {
	if !lacking.Match(out) {
		return nil
	}
	return slices.DeleteFunc(optionsOf(asked), func(o string) bool { return bytes.Contains(config, []byte("\n"+o+"=")) })
}

// Kernel skips a test if the command or the ruleset that was asked for ended with an error since the kernel lacks an option for it: its output tells so, the
// option has a name, and the kernel does not say that it has that. Any other error fails the test.
func Kernel(t testing.TB, asked string, out []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if list := lacks(config(), asked, out); len(list) > 0 {
		t.Skipf("the kernel lacks: %s", strings.Join(list, ", "))
		return
	}
	t.Fatalf("%s: %v: %s", asked, err, out)
}
