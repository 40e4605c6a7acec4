//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestPoliciesOfTheBus: who may ask a service of root is in the order in which the bus applies its policies; calls that only ask, and what is received, are left out.
func TestPoliciesOfTheBus(t *testing.T) {
	const system = "644 0:0 /usr/share/dbus-1/system.conf = <!DOCTYPE busconfig PUBLIC \"-//x\" \"http://x/y.dtd\">\n<busconfig><policy context=\"default\"><deny own=\"*\"/>" +
		"<deny send_type=\"method_call\"/><allow send_type=\"signal\"/><allow receive_type=\"method_call\"/></policy></busconfig>"
	policy := func(rules string) string {
		return "644 0:0 /etc/dbus-1/system.d/a.conf = <busconfig>" + strings.ReplaceAll(rules, "'", `"`) + "</busconfig>"
	}
	const owned = "<policy user='root'><allow own='a.B'/><allow send_destination='a.B'/></policy>"
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"root alone":     {policy(owned), []string{"a.B: deny all 0; allow user 0"}},
		"everybody":      {policy("<policy context='default'><allow send_destination='a.B'/></policy>" + owned), []string{"a.B: deny all 0; allow all 0; allow user 0"}},
		"a group":        {policy(owned + "<policy group='staff'><allow send_destination='a.B'/></policy>"), []string{"a.B: deny all 0; allow group 50; allow user 0"}},
		"no such group":  {policy(owned + "<policy group='nobody-has-it'><allow send_destination='a.B'/></policy>"), []string{"a.B: deny all 0; allow user 0"}},
		"some calls":     {policy(owned + "<policy user='ann'><allow send_destination='a.B' send_interface='a.C' send_member='D'/></policy>"), []string{"a.B: deny all 0; allow user 0; allow user 1000 narrow"}},
		"calls that ask": {policy(owned + "<policy user='ann'><allow send_destination='a.B' send_interface='org.freedesktop.DBus.Introspectable'/></policy>"), []string{"a.B: deny all 0; allow user 0"}},
		"the console":    {policy(owned + "<policy at_console='true'><allow send_destination='a.B'/></policy>"), []string{"a.B: deny all 0; allow user 0; allow all 0 console"}},
		"mandatory":      {policy("<policy context='mandatory'><deny send_destination='a.B'/></policy>" + owned), []string{"a.B: deny all 0; allow user 0; deny all 0"}},
		"a prefix":       {policy("<policy user='root'><allow own_prefix='a.B'/></policy><policy user='ann'><allow send_destination_prefix='a'/></policy>"), []string{"a.B: deny all 0; allow user 1000"}},
		"an interface":   {policy(owned + "<policy context='default'><allow send_interface='a.B.C'/><allow send_interface='x.Y'/></policy>"), []string{"a.B: deny all 0; allow all 0 narrow; allow user 0"}},
		"one interface":  {policy(owned + "<policy user='ann'><deny send_destination='a.B' send_interface='a.C' send_member='*'/></policy>"), []string{"a.B: deny all 0; allow user 0; deny user 1000 narrow"}},
		"of a user":      {policy("<policy user='ann'><allow own='a.B'/></policy>"), nil},
	} {
		names, read := powerHost(t, system, c.file).busPolicy()
		var got []string
		for _, n := range names {
			var rules []string
			for _, r := range n.Rules {
				text := map[bool]string{true: "allow ", false: "deny "}[r.Allow] + fmt.Sprintf("%s %d", r.Who, r.ID)
				if r.Narrow {
					text += " narrow"
				}
				if r.Console {
					text += " console"
				}
				rules = append(rules, text)
			}
			got = append(got, n.Name+": "+strings.Join(rules, "; "))
		}
		if d := gocmp.Diff(c.want, got); d != "" || read.State != snapshot.Present {
			t.Errorf("%s: %v %s", name, read, d)
		}
	}
	if _, read := powerHost(t).busPolicy(); read.State != snapshot.Absent {
		t.Errorf("without a bus: %v", read)
	}
	if _, read := powerHost(t, system, "644 0:0 /etc/dbus-1/system.d/a.conf = <busconfig><policy").busPolicy(); read.State != snapshot.Error {
		t.Errorf("a file that is no policy: %v", read)
	}
	if names, _ := powerHost(t, system, "644 0:0 /usr/share/dbus-1/system-services/x.service = [D-BUS Service]\nName=x.Y\nExec=/opt/x\nUser=root\n").busPolicy(); len(names) != 1 || names[0].Name != "x.Y" {
		t.Errorf("a service that the bus starts: %v", names)
	}
}
