package power_test

import (
	"testing"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
)

// TestTheLastRuleDecides: of the rules of sudo and doas that match the last one counts, for each user, account and command, and what cannot be told stays unknown.
func TestTheLastRuleDecides(t *testing.T) {
	rule := func(users, as []string, commands ...string) snapshot.SudoRule {
		r := snapshot.SudoRule{Users: users, As: as}
		for _, c := range commands {
			not := c[0] == '!'
			if not {
				c = c[1:]
			}
			r.Commands = append(r.Commands, snapshot.SudoCommand{Text: c, Not: not})
		}
		return r
	}
	ann, everybody := []string{"ann"}, []string{"ALL"}
	asked := rule(ann, nil, "ALL")
	asked.Password = true
	for name, c := range map[string]struct {
		rules []snapshot.SudoRule
		want  power.Verdict
		when  snapshot.Trigger
	}{
		"everything, then nothing":         {[]snapshot.SudoRule{rule(ann, nil, "ALL"), rule(ann, everybody, "!ALL")}, power.No, ""},
		"nothing, then everything":         {[]snapshot.SudoRule{rule(ann, everybody, "!ALL"), rule(ann, nil, "ALL")}, power.Yes, snapshot.TriggerNone},
		"nothing for others":               {[]snapshot.SudoRule{rule(ann, nil, "ALL"), rule([]string{"bob"}, everybody, "!ALL")}, power.Yes, snapshot.TriggerNone},
		"nothing as others":                {[]snapshot.SudoRule{rule(ann, nil, "ALL"), rule(ann, []string{"bob"}, "!ALL")}, power.Yes, snapshot.TriggerNone},
		"nothing for who is not known":     {[]snapshot.SudoRule{rule(ann, nil, "ALL"), rule([]string{"+all"}, everybody, "!ALL")}, power.Unknown, ""},
		"a later rule asks for a password": {[]snapshot.SudoRule{rule(ann, nil, "ALL"), asked}, power.Yes, snapshot.TriggerOperator},
		"an earlier rule asks for one":     {[]snapshot.SudoRule{asked, rule(ann, nil, "ALL")}, power.Yes, snapshot.TriggerNone},
		"but for a command":                {[]snapshot.SudoRule{rule(ann, nil, "ALL", "!/usr/bin/su", "!/bin/")}, power.Yes, snapshot.TriggerNone},
		"but for a pattern of every place": {[]snapshot.SudoRule{rule(ann, nil, "ALL", "!/*/*")}, power.Unknown, ""},
		"but for a regular expression":     {[]snapshot.SudoRule{rule(ann, nil, "ALL", "!^/.*$")}, power.Unknown, ""},
		"a command that is taken away":     {[]snapshot.SudoRule{rule(ann, everybody, "/usr/bin/find", "!/usr/bin/find")}, power.No, ""},
		"some of its arguments":            {[]snapshot.SudoRule{rule(ann, nil, "/usr/bin/find", "!/usr/bin/find /etc")}, power.Yes, snapshot.TriggerNone},
		"its arguments by a pattern":       {[]snapshot.SudoRule{rule(ann, nil, "/usr/bin/find", "!/usr/bin/find *")}, power.Unknown, ""},
		"it by its other name":             {[]snapshot.SudoRule{rule(ann, nil, "/usr/bin/find", "!/bin/find")}, power.Unknown, ""},
		"another one":                      {[]snapshot.SudoRule{rule(ann, nil, "/usr/bin/find", "!/usr/bin/tee")}, power.Yes, snapshot.TriggerNone},
		"everybody but ann":                {[]snapshot.SudoRule{rule([]string{"ALL", "!ann"}, nil, "ALL")}, power.No, ""},
		"not ann, then everybody":          {[]snapshot.SudoRule{rule([]string{"!ann", "ALL"}, nil, "ALL")}, power.Yes, snapshot.TriggerNone},
		"everybody but a netgroup":         {[]snapshot.SudoRule{rule([]string{"ALL", "!+net"}, nil, "ALL")}, power.Unknown, ""},
		"a name in capitals":               {[]snapshot.SudoRule{rule([]string{"ANN"}, nil, "ALL")}, power.Yes, snapshot.TriggerNone},
		"everybody's account but root's":   {[]snapshot.SudoRule{rule(ann, []string{"ALL", "!root"}, "ALL")}, power.No, ""},
		"an account by which root is had":  {[]snapshot.SudoRule{rule(ann, []string{"ALL", "!root"}, "ALL"), rule([]string{"bob"}, nil, "ALL")}, power.Yes, snapshot.TriggerNone},
		"a shell without arguments":        {[]snapshot.SudoRule{rule(ann, nil, `/bin/sh ""`)}, power.Yes, snapshot.TriggerNone},
		"a group that has the disks":       {[]snapshot.SudoRule{{Users: ann, AsGroups: []string{"disk"}, Commands: []snapshot.SudoCommand{{Text: "ALL"}}}}, power.Yes, snapshot.TriggerNone},
		"names of nobody":                  {[]snapshot.SudoRule{rule([]string{""}, []string{""}, "ALL")}, power.No, ""},
		"as themselves":                    {[]snapshot.SudoRule{rule(ann, []string{""}, "ALL")}, power.No, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := quiet()
			s.Powers.Sudo = append(s.Powers.Sudo, c.rules...)
			if name == "a group that has the disks" {
				s.Powers.Files = []snapshot.LeverFile{file("/dev/sda", snapshot.LeverDevice, root, snapshot.TriggerNone, ofGroup(disks, "/dev/sda"))}
			}
			if a := answer(t, s, onHost(), power.Root); a.Verdict != c.want || a.Trigger != c.when && c.when != "" {
				t.Errorf("%s, %s by %v, %v", a.Verdict, a.Trigger, a.Path, a.Because)
			}
		})
	}
	permit := func(who string) snapshot.DoasRule { return snapshot.DoasRule{Permit: true, Identity: who} }
	for name, c := range map[string]struct {
		rules []snapshot.DoasRule
		want  power.Verdict
	}{
		"a rule":                    {[]snapshot.DoasRule{permit("ann")}, power.Yes},
		"a denial after it":         {[]snapshot.DoasRule{permit("ann"), {Identity: "ann"}}, power.No},
		"a denial before it":        {[]snapshot.DoasRule{{Identity: "ann"}, permit("ann")}, power.Yes},
		"a denial of a command":     {[]snapshot.DoasRule{permit("ann"), {Identity: "ann", Command: "/bin/sh"}}, power.Yes},
		"a group":                   {[]snapshot.DoasRule{permit(":staff")}, power.Yes},
		"another group":             {[]snapshot.DoasRule{permit(":disk")}, power.No},
		"words of sudo":             {[]snapshot.DoasRule{permit("ALL"), permit("%staff"), permit("+ann"), permit("!bob"), permit(""), permit(":")}, power.No},
		"a command of sudo":         {[]snapshot.DoasRule{{Permit: true, Identity: "ann", Command: "ALL"}}, power.Unknown},
		"arguments that are a star": {[]snapshot.DoasRule{{Permit: true, Identity: "ann", Command: "/usr/bin/find", Exact: true, Args: []string{"*"}}}, power.Unknown},
		"a program without limits":  {[]snapshot.DoasRule{{Permit: true, Identity: "ann", Command: "/usr/bin/find"}}, power.Yes},
		"as somebody else":          {[]snapshot.DoasRule{{Permit: true, Identity: "ann", As: "bob"}}, power.No},
	} {
		t.Run("doas: "+name, func(t *testing.T) {
			s := quiet()
			s.Powers.Programs = append(s.Powers.Programs, snapshot.GainProgram{Path: "/usr/bin/doas", SetUID: new(int), Mode: 0o755})
			s.Powers.DoasRead, s.Powers.Doas = snapshot.Fact{State: snapshot.Present}, c.rules
			if a := answer(t, s, onHost(), power.Root); a.Verdict != c.want {
				t.Errorf("%s by %v, %v", a.Verdict, a.Path, a.Because)
			}
			s.Powers.Programs = s.Powers.Programs[:2]
			if a := answer(t, s, onHost(), power.Root); a.Verdict != power.No {
				t.Errorf("without doas: %s by %v, %v", a.Verdict, a.Path, a.Because)
			}
		})
	}
}
