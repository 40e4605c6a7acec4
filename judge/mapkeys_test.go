package judge

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/fixtures"
)

// TestKeysOfMapsAreKnown: a policy that asks for a key that a map of the document never has is refused with its line, however it asks; what can be there
// is not.
func TestKeysOfMapsAreKnown(t *testing.T) {
	const reads = "severity: low\nreads: [kernel.facts, kernel.boot, kernel.sysctls, network, windows.rdp, windows.smb, windows.system, windows.winrm, listeners.ip, " +
		"listeners.namespaces, nftables, processes.power, agents, runtimes, system, ssh, management]\nremediation: R"
	const head = "finding contains {\"resource\": {\"kind\": \"host\", \"key\": \"k\"}, \"message\": \"m\"} if {\n\t"
	typed := []string{"externl", "ipv5", "logn", "remotecommands"} // the compiler's types refuse these, before any policy is looked at by itself
	all := many{want: map[string][]string{}}
	for _, c := range []struct{ body, wrong string }{
		{`input.sysctls["kernel.randomise_va_space"].value == "0"`, "kernel.randomise_va_space"},
		{`input.sysctls["kernel/sysrq"].value == "0"`, "kernel/sysrq"},
		{`input.sysctls["kernel.sysrq"].value == "0"`, ""},
		{`input.sysctls["net.ipv4.conf.eth0.rp_filtr"].value == "0"`, "net.ipv4.conf.eth0.rp_filtr"},
		{`input.sysctls["net.ipv4.conf.eth0.5.rp_filter"].value == "0"`, ""},
		{`input.sysctls["net.ipv6.conf.eth0.rp_filter"].value == "0"`, "net.ipv6.conf.eth0.rp_filter"},
		{"some i in input.interfaces\n\tinput.sysctls[sprintf(\"net.ipv4.conf.%s.rp_filter\", [i.name])].value == \"0\"", ""},
		{"some name in [\"kernel.sysrq\", \"kernel.sysrk\"]\n\tinput.sysctls[name].value == \"0\"", "kernel.sysrk"},
		{`object.get(input.sysctls, "kernel.sysrk", {"value": "0"}).value == "0"`, "kernel.sysrk"},
		{`object.get(input.sysctls, ["kernel.sysrk", "value"], "0") == "0"`, "kernel.sysrk"},
		{`object.get(input.sysctls, ["kernel.sysrq", "value"], "0") == "0"`, ""},
		{`input.kernel.sysctls["kernel.sysrq"].value == "0"`, "kernel.sysrq"},
		{`input.kernel.sysctls["kernel/sysrq"].value == "0"`, ""},
		{`input.kernel.facts.lockdwn.value == "none"`, "lockdwn"},
		{`input.kernel.facts.lockdown.value == "none"`, ""},
		{`_fact("lockdwn") == "none"`, "lockdwn"},
		{`input.processor.meltdwn.value == "Vulnerable"`, "meltdwn"},
		{`input.processor.spectre_v2.value == "Vulnerable"`, ""},
		{`input.processor.of_a_newer_kernel.value == "Vulnerable"`, ""},
		{`input.windowsSMB.SMB3.value == "1"`, "SMB3"},
		{`input.windowsSMB.SMB1.value == "1"`, ""},
		{`input.windowsRDP.userAuthentication.value == "1"`, "userAuthentication"},
		{`input.windowsWinRM.settings.AllowBasic.value == "1"`, "AllowBasic"},
		{"some name, s in input.windowsSMB\n\ts.value == \"1\"\n\tname == \"SMB3\"", "SMB3"},
		{"some svc in input.services\n\tsvc.by.externl.port == 80", "externl"},
		{"some l in input.agentListeners\n\tl.open.externl == \"reachable\"", "externl"},
		{"some b in input.bridges\n\tb.between.ipv5 == \"open\"", "ipv5"},
		{"some b in input.bridges\n\tb.calls.ipv4 == \"on\"", ""},
		{"some m in input.managed\n\tm.settings.logn.value == \"none\"", "logn"},
		{"some m in input.managed\n\tm.settings.remotecommands.value == \"none\"", "remotecommands"},
		{"some m in input.managed\n\tm.settings.remoteCommands.value == \"none\"", ""},
		{"some m in input.managed\n\tsome name in [\"login\", \"how\"]\n\tm.settings[name].value == \"none\"", ""},
		{"some m in input.managed\n\tobject.get(m.settings, [\"remoteComands\", \"value\"], \"\") == \"none\"", "remoteComands"},
		{"some c in input.ssh.contexts\n\tc.values.permitrootlogn == [\"yes\"]", "permitrootlogn"},
		{"some c in input.ssh.contexts\n\tc.values.PermitRootLogin == [\"yes\"]", "PermitRootLogin"},
		{"some c in input.ssh.contexts\n\t\"yes\" in object.get(c.values, \"passwordauthenticaton\", [])", "passwordauthenticaton"},
		{"some c in input.ssh.contexts\n\t\"yes\" in c.values.permitrootlogin", ""},
		{"some c in input.ssh.contexts\n\t\"yes\" in c.values.ofanewerrelease", ""},
		{"x := {\"settings\": {\"mine\": 1}}\n\tx.settings.mine == 1", ""},
		{"x := {\"sysctls\": {\"mine\": 1}}\n\tx.sysctls.mine == 1", ""},
	} {
		m := own(reads, head+c.body+"\n}\n\n_fact(name) := input.kernel.facts[name].value")
		var want []string
		if c.wrong != "" {
			want = []string{`"` + c.wrong + `"`, "/mine.rego:1", "want"}
		}
		if slices.Contains(typed, c.wrong) {
			refused(t, []string{" has no " + c.wrong + ";", "/mine.rego:1"}, m)
			continue
		}
		all.add(c.body, m, want)
	}
	all.refused(t)
}

// TestMapsHaveTheirKeys: what documents of fixtures have in those maps can be there.
func TestMapsHaveTheirKeys(t *testing.T) {
	b, err := json.Marshal(DocumentOf(t.Context(), fixtures.Host(), new(Config)))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, space := range keySpaces() {
		at := any(doc)
		for name := range strings.SplitSeq(space.path, ".") {
			m, _ := at.(map[string]any)
			at = m[name]
		}
		m, _ := at.(map[string]any)
		for key := range m {
			seen++
			if !space.in(key) {
				t.Errorf("%s has %q, which no policy may ask for", space.path, key)
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d keys were looked at", seen)
	}
}
