package remedy

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// write makes the scripts of the rules.
func (w *WindowsPlan) write() {
	if len(w.Rules) == 0 {
		return
	}
	var shell, undoShell, netsh, undo strings.Builder
	for i := range w.Rules {
		r := &w.Rules[i]
		shell.WriteString(r.powershell() + "\n")
		undoShell.WriteString("Remove-NetFirewallRule -Name " + quotedShell(r.ID) + "\n")
		if r.Interface != "" {
			w.Partly = append(w.Partly, r.Name)
			continue
		}
		netsh.WriteString(r.netsh() + "\n")
		fmt.Fprintf(&undo, "netsh advfirewall firewall delete rule name=\"%s\" dir=in\n", r.Name)
	}
	w.PowerShell, w.UndoShell, w.Netsh, w.UndoNetsh = shell.String(), undoShell.String(), netsh.String(), undo.String()
}

// powershell is the command that makes the rule.
func (r *WindowsRule) powershell() string {
	t := fmt.Sprintf("New-NetFirewallRule -Name %s -DisplayName %s -Group %s -Direction Inbound -Action Block -Profile Any -Protocol %s -LocalPort %d",
		quotedShell(r.ID), quotedShell(r.Name), quotedShell(group), strings.ToUpper(r.Proto), r.Port)
	if r.Local != "" {
		t += " -LocalAddress " + quotedShell(r.Local)
	}
	if r.Interface != "" {
		t += " -InterfaceAlias " + quotedShell(literal(r.Interface))
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

// quotedShell is a text as an argument of PowerShell: in single quotes, in which only the quote itself means something (about_Quoting_Rules). What is not
// ASCII is told by its number, so that a script means the same in whatever encoding it is read: PowerShell takes typographic quotes for quotes, and
// Windows PowerShell reads files without a mark in the code page of the system, where other letters become such.
func quotedShell(s string) string {
	var parts []string
	plain := ""
	end := func() {
		if plain != "" {
			parts = append(parts, "'"+strings.ReplaceAll(plain, "'", "''")+"'")
			plain = ""
		}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if u >= ' ' && u <= '~' {
			plain += string(rune(u))
			continue
		}
		end()
		parts = append(parts, fmt.Sprintf("[char]%d", u))
	}
	end()
	switch {
	case len(parts) == 0:
		return "''"
	case len(parts) == 1 && parts[0][0] == '\'':
		return parts[0]
	}
	return "('' + " + strings.Join(parts, " + ") + ")"
}

// literal is a name where PowerShell takes a pattern (about_Wildcards).
func literal(s string) string {
	return strings.NewReplacer("`", "``", "*", "`*", "?", "`?", "[", "`[", "]", "`]").Replace(s)
}

// plainName is a name of an interface without what would end or change a command of either shell, or a field of a rule, and in ASCII.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("\"%|^&<>!`$*?[]", r) {
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
