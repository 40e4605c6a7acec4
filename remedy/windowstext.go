package remedy

import (
	"fmt"
	"strings"
)

// write makes the scripts of the rules.
func (w *WindowsPlan) write() {
	if len(w.Rules) == 0 {
		return
	}
	var shell, netsh, undo strings.Builder
	for i := range w.Rules {
		r := &w.Rules[i]
		shell.WriteString(r.powershell() + "\n")
		if r.Interface != "" {
			w.Partly = append(w.Partly, r.Name)
			continue
		}
		netsh.WriteString(r.netsh() + "\n")
		fmt.Fprintf(&undo, "netsh advfirewall firewall delete rule name=\"%s\" dir=in\n", r.Name)
	}
	w.PowerShell, w.Netsh, w.UndoNetsh = shell.String(), netsh.String(), undo.String()
	w.UndoShell = fmt.Sprintf("Get-NetFirewallRule -Group %s | Remove-NetFirewallRule\n", quotedShell(group))
}

// powershell is the command that makes the rule.
func (r *WindowsRule) powershell() string {
	t := fmt.Sprintf("New-NetFirewallRule -DisplayName %s -Group %s -Direction Inbound -Action Block -Profile Any -Protocol %s -LocalPort %d",
		quotedShell(r.Name), quotedShell(group), strings.ToUpper(r.Proto), r.Port)
	if r.Local != "" {
		t += " -LocalAddress " + quotedShell(r.Local)
	}
	if r.Interface != "" {
		t += " -InterfaceAlias " + quotedShell(r.Interface)
	}
	list := make([]string, len(r.Remote))
	for i, a := range r.Remote {
		list[i] = quotedShell(a)
	}
	return t + " -RemoteAddress " + strings.Join(list, ",")
}

// netsh is the same for netsh, which knows no rules of one interface.
func (r *WindowsRule) netsh() string {
	t := fmt.Sprintf("netsh advfirewall firewall add rule name=\"%s\" dir=in action=block profile=any protocol=%s localport=%d", r.Name, strings.ToUpper(r.Proto), r.Port)
	if r.Local != "" {
		t += " localip=" + r.Local
	}
	return t + " remoteip=" + strings.Join(r.Remote, ",")
}

// quotedShell is a text in single quotes of PowerShell, in which only the quote itself means something (about_Quoting_Rules); it takes the
// typographic ones for the same.
func quotedShell(s string) string {
	return "'" + strings.NewReplacer("'", "''", "\u2018", "\u2018\u2018", "\u2019", "\u2019\u2019", "\u201a", "\u201a\u201a", "\u201b", "\u201b\u201b").Replace(s) + "'"
}

// plainName is a name of an interface without what would end or change a command of either shell, or a field of a rule.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune("\"%|^&<>!`$", r) {
			return '_'
		}
		return r
	}, s)
}

// windows tells the rules of a Windows host.
func (d *description) windows(p *Plan) {
	w := p.Windows
	if len(w.Rules) == 0 {
		d.text.WriteString("# nothing that a rule of the firewall could close\n")
		return
	}
	d.text.WriteString("# in an elevated PowerShell; ringfence loads nothing on Windows\n")
	for _, t := range p.Closes {
		d.line("# closes %s: %s%s", t.Check, t.What, exceptText(t.Except))
	}
	d.block(w.PowerShell)
	d.text.WriteString("\n# to undo it:\n")
	d.comment(w.UndoShell)
	d.text.WriteString("\n# the same for netsh:\n")
	d.comment(w.Netsh)
	for _, name := range w.Partly {
		d.line("#   (netsh has no rules of one interface: it lacks %s)", name)
	}
	if w.UndoNetsh != "" {
		d.text.WriteString("\n# to undo it:\n")
		d.comment(w.UndoNetsh)
	}
	fmt.Fprintf(&d.text, "# proven on the model: %d answers become unreachable, %d stay as they are\n", w.Closed, w.Same)
	fmt.Fprintf(&d.text, "# disruption: %s\n", p.Disruption)
}
